/** Kept blobs for reading; what has not been checked for a day is hashed while it is served whole. */
import type { ByteSource } from '../oci/byte-source.ts'
import type { Digest } from '../oci/digest.ts'
import type { Content } from './content.ts'
import type { BlobRecord } from './records.ts'
import type { Uses } from './uses.ts'
import { createVerifyingSource } from './verifying-source.ts'

interface CheckedBlob {
  bytes: ByteSource
  size: number
  record: BlobRecord
}

export interface CheckedBlobs {
  /** @param isWhole for a reader that reads from 0 to the end in order */
  open(digest: Digest, isWhole: boolean): Promise<CheckedBlob | undefined>
}

export interface CheckedBlobOptions {
  catalog: Content & { uses: Uses; believedSince: number }
  warn: (message: string, error: unknown) => void
  now: () => number
}

/** ms after which kept bytes are hashed again when they are served whole. */
const verifiedFor = 24 * 60 * 60_000

export function createCheckedBlobs({ catalog, warn, now }: CheckedBlobOptions): CheckedBlobs {
  // A clock that was set back must not keep bytes from being checked.
  function isVerified({ verifiedAt }: BlobRecord): boolean {
    const age = now() - verifiedAt
    return age >= 0 && age <= verifiedFor && verifiedAt >= catalog.believedSince
  }

  async function noteVerified(digest: Digest): Promise<void> {
    try {
      await catalog.setVerified(digest, now())
    } catch (error) {
      warn(`that ${digest} was verified could not be noted`, error)
    }
  }

  return {
    async open(digest, isWhole) {
      const record = await catalog.blob(digest)
      const source = record && (await catalog.open(digest))
      if (!record || !source) return undefined
      catalog.uses.touch(digest)
      const { size } = record
      // What is inline has been checked as it was read.
      if (record.place === 'inline' || !isWhole || isVerified(record)) return { bytes: source, size, record }
      const bytes = createVerifyingSource({ source, size, digest, onVerified: () => noteVerified(digest) })
      return { bytes, size, record }
    },
  }
}
