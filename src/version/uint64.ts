/**
 * A number of a version, exact up to 2^64 - 1: a bigint only where a double would not do. JavaScript compares the two kinds rightly with `<` and
 * `>`; `===` is never to be used on them.
 */
export type Uint64 = number | bigint

const maxUint64 = 2n ** 64n - 1n
/** Every number of 15 digits is exact as a double. */
export const safeDigits = 15

export const code = {
  zero: 48,
  nine: 57,
  dot: 46,
  hyphen: 45,
  underscore: 95,
  plus: 43,
  star: 42,
  upperX: 88,
  a: 97,
  f: 102,
  v: 118,
  x: 120,
} as const

export const isDigit = (c: number): boolean => c >= code.zero && c <= code.nine

/** @returns where the digits that start at `at` end: `at` itself when there are none */
export function digitsEnd(text: string, at: number): number {
  let end = at
  for (; end < text.length; end++) {
    if (!isDigit(text.charCodeAt(end))) return end
  }
  return end
}

/** @returns undefined when there are no digits, or they are over 2^64 - 1 */
export function readNumber(text: string, at: number, end: number): Uint64 | undefined {
  if (at === end) return undefined
  if (end - at > safeDigits) return readLong(text.slice(at, end))
  let value = 0
  for (let i = at; i < end; i++) value = value * 10 + text.charCodeAt(i) - code.zero
  return value
}

function readLong(digits: string): Uint64 | undefined {
  const value = BigInt(digits)
  return value > maxUint64 ? undefined : value
}

export const successor = (number: Uint64): Uint64 => (typeof number === 'bigint' ? number + 1n : number + 1)
