/** What handlers, upkeep and transfer know of a repository, whatever its origin. */
import type { ByteSource } from '../oci/byte-source.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Reference, Tag } from '../oci/name.ts'
import type { ByteRange, Span } from '../oci/range.ts'

/** How an answer came to be: what `Entrepot-Cache`, `Age` and `Warning` tell the client. */
export interface Freshness {
  cache: 'hit' | 'stale' | 'miss' | 'joined'
  /** Whole seconds since the upstream last confirmed the answer; absent for content by digest and for `miss`. */
  age?: number
  /** Why a stale answer is stale: one sentence for `Warning: 299`. */
  warning?: string
}

export interface Manifest extends Freshness {
  digest: Digest
  mediaType: string
  bytes: Uint8Array
}

export interface Listing<T> extends Freshness {
  items: readonly T[]
}

export interface OpenBlob extends Freshness {
  bytes: ByteSource
  /** The part to send, where a range was asked for and the size is known. */
  span?: Span
}

/** `undefined` = "it does not exist"; a throw (OciError) = "I could not find out". */
export interface Repository {
  manifest(reference: Reference): Promise<Manifest | undefined>
  /** HEAD of a blob: starts no download. */
  stat(digest: Digest): Promise<(Descriptor & Freshness) | undefined>
  /**
   * Settles when upstream's headers are in: one GET, no HEAD.
   * @throws OciError RANGE_INVALID where the range lies outside the blob
   */
  blob(digest: Digest, range?: ByteRange): Promise<OpenBlob | undefined>
  tags(): Promise<Listing<Tag> | undefined>
  /** `undefined`: this origin has no such API. */
  referrers(subject: Digest): Promise<Listing<Descriptor> | undefined>
}
