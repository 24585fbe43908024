/** What changes a hosted repository besides uploads: manifests that are put, and what is deleted. One at a time a repository. */
import type { Catalog } from '../catalog/catalog.ts'
import { edgesOf } from '../catalog/closure.ts'
import { createLock } from '../catalog/lock.ts'
import type { Link, RepositoryKey, TagRecord } from '../catalog/records.ts'
import { referringFrom } from '../catalog/referring.ts'
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { type ManifestFacts, readManifest } from '../oci/manifest.ts'
import type { Reference, RepositoryName, Tag } from '../oci/name.ts'
import type { PushedManifest } from '../repository/hosted.ts'
import type { Blobs } from './blobs.ts'
import type { Immutable } from './immutable.ts'
import { refusalOf, type TakeRoom } from './room.ts'

export interface PushOptions {
  catalog: Catalog
  blobs: Blobs
  takeRoom: TakeRoom
  isImmutable: Immutable
  /** Told of a repository whose tags have come or gone. */
  changed: (repository: RepositoryKey) => void
  warn: (message: string, error: unknown) => void
  now: () => number
}

interface PutManifest {
  repository: RepositoryKey
  reference: Reference
  bytes: Uint8Array
  mediaType: string
  /** Besides the one in `reference`. */
  tags: readonly Tag[]
}

export interface Push {
  put(manifest: PutManifest): Promise<PushedManifest>
  deleteTag(repository: RepositoryKey, tag: Tag): Promise<boolean>
  deleteManifest(repository: RepositoryKey, digest: Digest): Promise<boolean>
  deleteBlob(repository: RepositoryKey, digest: Digest): Promise<boolean>
  /** How many manifests were put into the repository since the start. */
  puts(name: RepositoryName): number
  /** Takes away a blob's link that was made at `madeAt`, while nothing else changes the repository and `isUnused` holds. */
  dropBlob(link: Link, isUnused: () => Promise<boolean>): Promise<boolean>
}

export function createPush(options: PushOptions): Push {
  const { catalog, isImmutable, changed, warn, now } = options
  const locked = createLock()
  const puts = new Map<RepositoryName, number>()
  const alone = <T>(repository: RepositoryKey, work: () => Promise<T>) => locked(repository.name, work)

  async function put(pushed: PutManifest, digest: Digest, facts: ManifestFacts): Promise<PushedManifest> {
    const { repository, reference, bytes, mediaType } = pushed
    const tags = [...new Set([...('tag' in reference ? [reference.tag] : []), ...pushed.tags])]
    await requireBlobs(options.blobs, repository, facts)
    const records = await Promise.all(tags.map((tag) => tagRecord(repository, tag, digest)))
    const reservation = await options.takeRoom(bytes.length)
    const link: Link = {
      repository,
      kind: 'manifest',
      digest,
      mediaType,
      proof: 'pushed',
      credential: '',
      at: now(),
    }
    const edges = edgesOf(facts)
    const referring = referringFrom(facts, { digest, size: bytes.length })
    try {
      await catalog.keep({
        digest,
        bytes: { bytes },
        links: [link],
        reservation,
        tags: records,
        ...(edges && { edges }),
        ...(referring && { referring }),
      })
    } catch (error) {
      throw refusalOf(error)
    } finally {
      reservation.release()
      puts.set(repository.name, (puts.get(repository.name) ?? 0) + 1)
      if (tags.length > 0) changed(repository)
    }
    return { digest, tags, ...(referring && { subject: referring.subject }) }
  }

  async function tagRecord(repository: RepositoryKey, tag: Tag, digest: Digest) {
    const before = await catalog.tag(repository, tag)
    const at = now()
    if (before && before.digest !== digest && isImmutable(repository.name, tag)) throw immutable(repository, tag)
    const record: TagRecord = { digest, checkedAt: at, changedAt: before?.digest === digest ? before.changedAt : at }
    return { tag, record }
  }

  function requireMutable(repository: RepositoryKey, tags: readonly Tag[]): void {
    for (const tag of tags) if (isImmutable(repository.name, tag)) throw immutable(repository, tag)
  }

  async function deleteManifest(repository: RepositoryKey, digest: Digest): Promise<boolean> {
    const all = await catalog.tagRecords(repository)
    const tags = [...all].filter(([, record]) => record.digest === digest).map(([tag]) => tag)
    requireMutable(repository, tags)
    try {
      return await catalog.unlink({ repository, kind: 'manifest', digest }, { tags })
    } finally {
      if (tags.length > 0) changed(repository)
    }
  }

  /** Nobody waits for it; what fails is done by upkeep, as what a crash leaves is. */
  function free(digest: Digest): void {
    void catalog.forgetUnlinked(digest).catch((error: unknown) => warn(`the bytes of ${digest} were not freed`, error))
  }

  async function deleteBlob(repository: RepositoryKey, digest: Digest, madeAt?: number): Promise<boolean> {
    const isGone = await catalog.unlink({ repository, kind: 'blob', digest }, madeAt === undefined ? {} : { madeAt })
    if (isGone) free(digest)
    return isGone
  }

  return {
    async put(pushed) {
      const { repository, reference, bytes, mediaType } = pushed
      const digest = 'tag' in reference ? digestOf(bytes) : digestOf(bytes, algorithmOf(reference.digest))
      if ('digest' in reference && digest !== reference.digest) {
        throw new OciError('DIGEST_INVALID', `The manifest's digest is ${digest}, and not the one in the path.`)
      }
      const facts = readManifest(bytes, mediaType)
      return alone(repository, () => put(pushed, digest, facts))
    },
    deleteTag: (repository, tag) =>
      alone(repository, async () => {
        if (!(await catalog.tag(repository, tag))) return false
        requireMutable(repository, [tag])
        try {
          await catalog.deleteTag(repository, tag)
        } finally {
          changed(repository)
        }
        return true
      }),
    async deleteManifest(repository, digest) {
      const isGone = await alone(repository, () => deleteManifest(repository, digest))
      if (isGone) free(digest)
      return isGone
    },
    deleteBlob: (repository, digest) => alone(repository, () => deleteBlob(repository, digest)),
    puts: (name) => puts.get(name) ?? 0,
    dropBlob: (link, isUnused) =>
      alone(link.repository, async () => (await isUnused()) && deleteBlob(link.repository, link.digest, link.at)),
  }
}

/** An index's manifests may come later; layers that clients fetch elsewhere need not come at all. */
async function requireBlobs(blobs: Blobs, repository: RepositoryKey, facts: ManifestFacts): Promise<void> {
  if (facts.kind !== 'image') return
  const unknown: Digest[] = []
  for (const { digest, size, foreign } of facts.children) {
    const record = await blobs.find(repository, digest)
    if (record && record.size !== size) {
      const detail = `The manifest says that ${digest} has ${size} bytes; it has ${record.size}.`
      throw new OciError('SIZE_INVALID', detail, { facts: { digest, size: record.size } })
    }
    if (!record && !foreign) unknown.push(digest)
  }
  if (unknown.length === 0) return
  const detail = `The manifest names ${unknown.join(', ')}, which ${repository.name} does not have: push its blobs first.`
  throw new OciError('MANIFEST_BLOB_UNKNOWN', detail, { facts: { digests: unknown } })
}

function immutable(repository: RepositoryKey, tag: Tag): OciError {
  return new OciError(
    'DENIED',
    `The tag ${tag} of ${repository.name} is immutable ("immutableTags:" of the configuration): it can be neither moved nor deleted.`,
  )
}
