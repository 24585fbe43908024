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
import { createImmutableTagOf } from './immutable-content.ts'
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
  const immutableTagOf = createImmutableTagOf(catalog, isImmutable)
  const locked = createLock()
  const puts = new Map<RepositoryName, number>()
  const alone = <T>(repository: RepositoryKey, work: () => Promise<T>) => locked(repository.name, work)

  async function put(pushed: PutManifest, digest: Digest, facts: ManifestFacts): Promise<PushedManifest> {
    const { repository, reference, bytes, mediaType } = pushed
    const tags = [...new Set([...('tag' in reference ? [reference.tag] : []), ...pushed.tags])]
    await requireBlobs(options.blobs, repository, facts)
    const records = await Promise.all(tags.map((tag) => tagRecord(repository, tag, digest)))
    const before = await catalog.link(repository, 'manifest', digest)
    if (before && before.mediaType !== mediaType) await requireFree(repository, digest)
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

  /** A manifest whose bytes are gone can be neither pulled nor found by its digest: it goes with its last tag, or nothing that it named could. */
  async function dropLost(repository: RepositoryKey, digest: Digest): Promise<void> {
    if (await catalog.manifest(repository, digest)) return
    const tags = await catalog.tagRecords(repository)
    if (tags.values().some((record) => record.digest === digest)) return
    await catalog.unlink({ repository, kind: 'manifest', digest })
  }

  async function requireFree(repository: RepositoryKey, digest: Digest): Promise<void> {
    const tag = await immutableTagOf(repository, digest)
    if (tag !== undefined) throw immutable(repository, tag)
  }

  async function deleteManifest(repository: RepositoryKey, digest: Digest): Promise<boolean> {
    await requireFree(repository, digest)
    const all = await catalog.tagRecords(repository)
    const tags = [...all].filter(([, record]) => record.digest === digest).map(([tag]) => tag)
    try {
      return await catalog.unlink({ repository, kind: 'manifest', digest }, { tags })
    } finally {
      if (tags.length > 0) changed(repository)
    }
  }

  /** No client waits for it; what fails is done by upkeep, as what a crash leaves is. Never throws. */
  async function free(digest: Digest): Promise<void> {
    try {
      await catalog.forgetUnlinked(digest)
    } catch (error) {
      warn(`the bytes of ${digest} were not freed`, error)
    }
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
        const record = await catalog.tag(repository, tag)
        if (!record) return false
        if (isImmutable(repository.name, tag)) throw immutable(repository, tag)
        try {
          await catalog.deleteTag(repository, tag)
          await dropLost(repository, record.digest)
        } finally {
          changed(repository)
        }
        return true
      }),
    async deleteManifest(repository, digest) {
      const isGone = await alone(repository, () => deleteManifest(repository, digest))
      if (isGone) void free(digest)
      return isGone
    },
    async deleteBlob(repository, digest) {
      const isGone = await alone(repository, async () => {
        await requireFree(repository, digest)
        return catalog.unlink({ repository, kind: 'blob', digest })
      })
      if (isGone) void free(digest)
      return isGone
    },
    puts: (name) => puts.get(name) ?? 0,
    async dropBlob({ repository, digest, at }, isUnused) {
      const unlink = () => catalog.unlink({ repository, kind: 'blob', digest }, { madeAt: at })
      const isGone = await alone(repository, async () => (await isUnused()) && unlink())
      if (isGone) await free(digest)
      return isGone
    },
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
    `The tag ${tag} of ${repository.name} is immutable ("immutableTags:" of the configuration): neither it nor what it reaches can be moved, changed or deleted.`,
  )
}
