/**
 * Kept bytes that have not been checked for a while are hashed while they are served: the newest 64 KiB go out when the digest has
 * matched, so that a client never gets a complete wrong body from a disk that rots.
 */
import { createHash } from 'node:crypto'
import type { ByteSource } from '../oci/byte-source.ts'
import { algorithmOf, type Digest, hashedDigest } from '../oci/digest.ts'

/** Bytes that wait for the digest. */
const withheld = 64 * 1024

export interface VerifyingOptions {
  source: ByteSource
  size: number
  digest: Digest
  /** Called once, when all bytes match, before the last of them go out. */
  onVerified: () => Promise<void>
}

/** For one reader that reads from 0 to the end in order. @throws from `read` when the bytes do not match */
export function createVerifyingSource({ source, size, digest, onVerified }: VerifyingOptions): ByteSource {
  const tailStart = Math.max(0, size - withheld)
  const hash = createHash(algorithmOf(digest))
  let hashed = 0
  let tail: Uint8Array | undefined

  async function read(position: number, buffer: Uint8Array): Promise<number> {
    if (position < tailStart) {
      requireOrder(position)
      const count = await source.read(position, buffer.subarray(0, tailStart - position))
      if (count === 0) throw mismatch()
      hash.update(buffer.subarray(0, count))
      hashed += count
      return count
    }
    tail ??= await verifiedTail()
    const part = tail.subarray(position - tailStart, position - tailStart + buffer.length)
    buffer.set(part)
    return part.length
  }

  async function verifiedTail(): Promise<Uint8Array> {
    requireOrder(tailStart)
    const bytes = Buffer.alloc(size - tailStart)
    for (let filled = 0; filled < bytes.length;) {
      const count = await source.read(tailStart + filled, bytes.subarray(filled))
      if (count === 0) throw mismatch()
      filled += count
    }
    if (hashedDigest(algorithmOf(digest), hash.update(bytes)) !== digest) throw mismatch()
    await onVerified()
    return bytes
  }

  function requireOrder(position: number): void {
    if (position !== hashed) throw new Error('Bytes that are verified while they are served are read in order.')
  }

  function mismatch(): Error {
    return new Error(`The kept bytes of ${digest} do not match their digest any more.`)
  }

  return { size, read, close: () => source.close() }
}
