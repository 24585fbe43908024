/** Who reads what right now: eviction leaves it alone. */
import type { ByteSource } from '../oci/byte-source.ts'
import type { Digest } from '../oci/digest.ts'

export interface Holds {
  /** The same source, holding the digest until it is closed. */
  hold(digest: Digest, source: ByteSource): ByteSource
  isHeld(digest: Digest): boolean
}

export function createHolds(): Holds {
  const readers = new Map<Digest, number>()

  function release(digest: Digest): void {
    const left = (readers.get(digest) ?? 1) - 1
    if (left > 0) readers.set(digest, left)
    else readers.delete(digest)
  }

  return {
    isHeld: (digest) => readers.has(digest),
    hold(digest, source) {
      readers.set(digest, (readers.get(digest) ?? 0) + 1)
      let open = true
      return {
        size: source.size,
        read: (position, buffer) => source.read(position, buffer),
        async close() {
          if (!open) return
          open = false
          release(digest)
          await source.close()
        },
      }
    },
  }
}
