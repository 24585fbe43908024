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
  source: ByteSource & { size: number }
  digest: Digest
  /** Told once, before the last bytes go out or the read fails. */
  onResult: (matches: boolean) => Promise<void>
}

/** For one reader that reads from 0 to the end in order. @throws from `read` when the bytes do not match */
export function createVerifyingSource(options: VerifyingOptions): ByteSource {
  const { source, digest } = options
  const tailStart = Math.max(0, source.size - withheld)
  const hash = createHash(algorithmOf(digest))
  let hashed = 0
  let tail: Uint8Array | undefined

  async function read(position: number, buffer: Uint8Array): Promise<number> {
    if (position < tailStart) {
      const count = await source.read(position, buffer.subarray(0, tailStart - position))
      if (position !== hashed) throw new Error('Bytes that are verified while they are served are read in order.')
      hash.update(buffer.subarray(0, count))
      hashed += count
      if (count === 0) await fail()
      return count
    }
    tail ??= await verifiedTail()
    const part = tail.subarray(position - tailStart, position - tailStart + buffer.length)
    buffer.set(part)
    return part.length
  }

  async function verifiedTail(): Promise<Uint8Array> {
    const bytes = Buffer.alloc(source.size - tailStart)
    for (let filled = 0; filled < bytes.length; ) {
      const count = await source.read(tailStart + filled, bytes.subarray(filled))
      if (count === 0) await fail()
      filled += count
    }
    if (hashedDigest(algorithmOf(digest), hash.update(bytes)) !== digest) await fail()
    await options.onResult(true)
    return bytes
  }

  async function fail(): Promise<never> {
    await options.onResult(false)
    throw new Error(`The kept bytes of ${digest} do not match their digest any more.`)
  }

  return { size: source.size, read, close: () => source.close() }
}
