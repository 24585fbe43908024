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
  /** What the list is limited to, where it may lack something that exists: words that go on after "among". */
  among?: string
}

/** A list that may be too long for memory: read as far as somebody goes through it. */
export interface Sequence<T> extends Freshness {
  items: AsyncIterable<T> | Iterable<T>
}

export interface OpenBlob extends Freshness {
  bytes: ByteSource
  /** The part to send, where a range was asked for and the size is known. */
  span?: Span
}

/** `undefined` = "it does not exist"; a throw (OciError) = "I could not find out". */
export interface Repository {
  /** One for all spellings: `<upstream host>/<name>`. */
  readonly key: string
  manifest(reference: Reference): Promise<Manifest | undefined>
  /** HEAD of a blob: starts no download. */
  stat(digest: Digest): Promise<(Descriptor & Freshness) | undefined>
  /**
   * Settles when upstream's headers are in: one GET, no HEAD.
   * @throws OciError RANGE_INVALID where the range lies outside the blob
   */
  blob(digest: Digest, range?: ByteRange): Promise<OpenBlob | undefined>
  /** In ascending order, byte by byte; in offline mode those that can be served whole. */
  tags(): Promise<Listing<Tag> | undefined>
  /** Whether there is such a tag, as far as what is kept tells, however old it is; no call. `undefined`: nothing that is kept tells. */
  knows(tag: Tag): Promise<boolean | undefined>
  /** Whether a tag that no kept list has is missing still; one call at most in the time that a tag's answer is fresh. */
  lacks(tag: Tag): Promise<boolean>
  /** What a tag meant when it was last asked for, marked as stale; no call. */
  kept(tag: Tag): Promise<Manifest | undefined>
  /** The first of these tags that can be served whole from what is kept; no call. */
  firstComplete(tags: Iterable<string>): Promise<Tag | undefined>
  /**
   * In ascending order of their digests, byte by byte, each once, those above `after`. `undefined`: this origin has no such API.
   */
  referrers(subject: Digest, after?: Digest): Promise<Sequence<Descriptor> | undefined>
}
