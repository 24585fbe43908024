/** The digest of what a spool holds, where it was hashed by another algorithm as it arrived. */
import { createHash } from 'node:crypto'
import { type Digest, type DigestAlgorithm, hashedDigest } from '../oci/digest.ts'
import type { Spool } from '../store/spool.ts'

export async function hashSpool(spool: Spool, algorithm: DigestAlgorithm): Promise<Digest> {
  const hash = createHash(algorithm)
  const buffer = Buffer.allocUnsafe(1024 * 1024)
  for (let position = 0; position < spool.written;) {
    const count = await spool.read(position, buffer)
    hash.update(buffer.subarray(0, count))
    position += count
  }
  return hashedDigest(algorithm, hash)
}
