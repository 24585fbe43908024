/** A repository whose truth is here: all that every repository can, and the push side of it. */
import type { RepositoryKey } from '../catalog/records.ts'
import type { Digest, DigestAlgorithm } from '../oci/digest.ts'
import type { Reference, Tag } from '../oci/name.ts'
import type { Repository } from './repository.ts'

export interface StartUpload {
  /** Whose the session is: nobody else can go on with it. */
  by: string
  /** Whose share of the sessions it takes; default `by`. */
  share?: string
  /** Bytes that will come in all, where the client says so. */
  size?: number
  /** What the bytes are hashed with as they arrive; default sha256. Another one costs a second reading at the commit. */
  algorithm?: DigestAlgorithm
}

export interface PushedManifest {
  digest: Digest
  /** What it refers to, for the header OCI-Subject. */
  subject?: Digest
  /** All tags that point to it because of this push. */
  tags: Tag[]
}

export interface HostedRepository extends Repository {
  /** What tells the kinds apart, by {@link isHosted}. */
  readonly hosted: true
  /** A new session. @throws OciError DENIED where there is no room for `size` bytes, or for any; TOOMANYREQUESTS where too many are open */
  startUpload(options: StartUpload): Promise<Upload>
  /** A session of this repository that lives, also after a restart. `undefined` where there is none, or it is another's. */
  upload(id: string, by: string): Promise<Upload | undefined>
  /** Links a blob that `from` (a repository that the client may read) has, without a copy. False where it has not. */
  mount(digest: Digest, from: RepositoryKey): Promise<boolean>
  /** Repositories that have the blob, this one among them, for a mount that does not say from where: mount from one that the client may read. */
  holders(digest: Digest): Promise<RepositoryKey[]>
  /**
   * Keeps a manifest byte for byte, under its tags too, all or nothing.
   * @param reference a digest must be the one of the bytes; a tag comes to point to them
   * @param options.tags further tags, of `?tag=`
   * @throws OciError MANIFEST_INVALID (413 above the limit), MANIFEST_BLOB_UNKNOWN, DIGEST_INVALID, SIZE_INVALID, DENIED
   */
  putManifest(
    reference: Reference,
    bytes: Uint8Array,
    mediaType: string,
    options?: { tags?: Tag[] },
  ): Promise<PushedManifest>
  /** Each is gone for readers when it settles; false where there was none. @throws OciError DENIED where the tag is immutable */
  deleteTag(tag: Tag): Promise<boolean>
  deleteManifest(digest: Digest): Promise<boolean>
  deleteBlob(digest: Digest): Promise<boolean>
}

/** One upload session. What was taken is in a file, so that it survives a restart of the daemon. */
export interface Upload {
  readonly id: string
  /** Bytes taken. */
  readonly offset: number
  /**
   * Streams a body in; one at a time. A chunk must be copied before the next one is asked for. Where the body breaks off, what had arrived stays, and `offset` says how much that is.
   * @param start where the client says that the body begins: it must be `offset`
   * @param length bytes that the client says will come
   * @throws OciError RANGE_INVALID (416) out of order or beside another body, SIZE_INVALID where the body has another length, DENIED without room
   */
  append(body: AsyncIterable<Uint8Array>, start?: number, length?: number): Promise<void>
  /**
   * Verifies the bytes and keeps them as a blob of the repository, in the same order as downloads; the session is over.
   * @throws OciError DIGEST_INVALID where they are not what was said (the session is over too); RANGE_INVALID beside a body that still arrives
   */
  commit(digest: Digest): Promise<void>
  /** Ends the session and frees its bytes. */
  cancel(): Promise<void>
}

export function isHosted(repository: Repository): repository is HostedRepository {
  return 'hosted' in repository && repository.hosted === true
}
