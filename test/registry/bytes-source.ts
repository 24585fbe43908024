/** A source over bytes in memory. */
import type { ByteSource } from '../../src/oci/byte-source.ts'

export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    async read(position, buffer) {
      const part = bytes.subarray(position, position + buffer.length)
      buffer.set(part)
      return part.length
    },
    close: async () => {},
  }
}
