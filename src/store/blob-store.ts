/** The bytes of blobs, named by digest. Every driver passes test/store/blob-store-conformance.ts. */
import type { Digest } from '../oci/digest.ts'
import type { ByteSource } from '../oci/byte-source.ts'

export interface BlobStore {
  /** The reader may go on reading after a delete. `undefined` = no such file. */
  open(digest: Digest): Promise<ByteSource | undefined>
  /**
   * Takes ownership of a spool file on the same file system that is complete and verified, and makes it durable under its digest:
   * fsync, rename, fsync of the directory. What was under the digest before is replaced.
   */
  adopt(spool: string, blob: { digest: Digest; size: number }): Promise<void>
  delete(digest: Digest): Promise<void>
  /** Takes damaged bytes out of the way that exist nowhere else: perhaps somebody can mend them. `list` shows them no more. */
  setAside(digest: Digest): Promise<void>
  /** Every file with its size in bytes and its last change in ms since the epoch. Files that are no blobs are not listed. */
  list(): AsyncIterable<{ digest: Digest; size: number; modifiedAt: number }>
}
