/** Lists of chunks as one run of bytes; nothing is copied. */

/** IOV_MAX of Linux. */
const maxChunks = 1024

export function lengthOf(chunks: Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0)
}

/** The first chunks, until they hold `size` bytes or one writev call takes no more. */
export function groupOf(chunks: Uint8Array[], size: number): Uint8Array[] {
  let bytes = 0
  const enough = chunks.findIndex((chunk) => (bytes += chunk.length) >= size)
  return chunks.slice(0, Math.min(enough === -1 ? chunks.length : enough + 1, maxChunks))
}

export function firstBytes(chunks: Uint8Array[], count: number): Uint8Array[] {
  const first: Uint8Array[] = []
  for (const chunk of chunks) {
    if (count <= 0) break
    first.push(chunk.subarray(0, count))
    count -= chunk.length
  }
  return first
}

export function afterBytes(chunks: Uint8Array[], count: number): Uint8Array[] {
  let index = 0
  for (let chunk = chunks[0]; chunk !== undefined && chunk.length <= count; chunk = chunks[++index])
    count -= chunk.length
  const first = chunks[index]
  if (first === undefined) return []
  return [first.subarray(count), ...chunks.slice(index + 1)]
}
