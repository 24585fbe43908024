/** Whole numbers from 0 on, packed: a list in ascending order as the distances between them, seven bits a byte (LEB128). */

/** What is packed has no order of its own, and each number once. */
export function pack(numbers: Iterable<number>): Uint8Array {
  const bytes: number[] = []
  let before = 0
  for (const number of new Set([...numbers].toSorted((a, b) => a - b))) {
    let distance = number - before
    for (; distance >= 0x80; distance >>>= 7) bytes.push((distance & 0x7f) | 0x80)
    bytes.push(distance)
    before = number
  }
  return Uint8Array.from(bytes)
}

export function* unpack(bytes: Uint8Array): Generator<number> {
  let number = 0
  let shift = 0
  for (const byte of bytes) {
    number += (byte & 0x7f) << shift
    shift = byte < 0x80 ? 0 : shift + 7
    if (shift === 0) yield number
  }
}
