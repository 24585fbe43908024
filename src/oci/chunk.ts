/** Bytes on their way from a socket. */

/**
 * Frees the memory of a chunk that nobody uses any more, now and not at the next collection: a body of a gigabyte would be that much garbage.
 * Memory that holds more than the chunk stays, since others may use it.
 */
export function freeChunk({ buffer, length }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0)
}
