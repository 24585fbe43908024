/** Repositories whose truth is here. What is pushed into them is nowhere else, so it is never evicted, and never in LevelDB alone. */
import type { Catalog } from '../catalog/catalog.ts'
import { hostedOrigin, type Link } from '../catalog/records.ts'
import type { Room } from '../catalog/room.ts'
import type { RepositoryName } from '../oci/name.ts'
import type { HostedRepository } from '../repository/hosted.ts'
import type { SessionFiles } from '../store/session-files.ts'
import type { Spools } from '../store/spools.ts'
import { createBlobs } from './blobs.ts'
import { createImmutable, type ImmutableTags } from './immutable.ts'
import { createLists } from './lists.ts'
import { createReadManifest } from './manifests.ts'
import { createPush } from './push.ts'
import { createTakeRoom } from './room.ts'
import { dropUnreferenced } from './unreferenced.ts'
import { createUploads } from './uploads.ts'

export interface HostedOptions {
  catalog: Catalog
  spools: Spools
  /** In the directory of the spools. */
  sessions: SessionFiles
  room: Room
  maxSize: number
  /** Bytes that no eviction may free: a walk through all that is kept. */
  unevictable: () => Promise<number>
  immutableTags: readonly ImmutableTags[]
  /** Whether a link of another repository may be seen by those who may read that repository; hosted ones always may. */
  isVisible: (link: Link) => boolean
  warn: (message: string, error: unknown) => void
  now?: () => number
  /** ms after which an upload that nobody goes on with is over; default a day. */
  maxUploadAge?: number
  /** ms for which a blob that no manifest names waits for one; default 10 min. */
  grace?: number
}

export interface Hosted {
  repository(name: RepositoryName): HostedRepository
  /** Ends uploads that nobody goes on with, and frees what no manifest names. */
  sweep(): Promise<void>
  /** Ends what runs; upload sessions go on after the next start. */
  close(): Promise<void>
}

const minute = 60_000
/** ms from one look at what nobody names to the next, however many pushes find no room. */
const reclaimEvery = 30_000
/** ms for which what cannot be evicted is believed, however many pushes ask. */
const unevictableFor = 1_000

export async function createHosted(options: HostedOptions): Promise<Hosted> {
  const { catalog, room, maxSize, now = Date.now, maxUploadAge = 24 * 60 * minute, grace = 10 * minute } = options
  // A manifest takes room while its repository waits for it, where reclaiming would wait for the repository.
  const shared = { ...options, now, maxUploadAge, grace, takeRoom: createTakeRoom(room, maxSize) }
  const blobs = createBlobs(shared)
  const lists = createLists(catalog)
  const read = createReadManifest(catalog)
  const forUploads = { takeRoom: createTakeRoom(room, maxSize, reclaim), reclaim, unevictable }
  const uploads = await createUploads({ ...shared, ...forUploads })
  const isImmutable = createImmutable(options.immutableTags)
  const push = createPush({ ...shared, blobs, isImmutable, changed: (repository) => lists.changed(repository) })

  let reclaiming: Promise<void> | undefined
  let reclaimedAt = Number.NEGATIVE_INFINITY

  let walked: { bytes: Promise<number>; at: number } | undefined

  async function dropNow(): Promise<void> {
    try {
      await dropUnreferenced({ catalog, push, uploads, now, grace })
    } finally {
      reclaimedAt = now()
      walked = undefined
    }
  }

  /** One walk for all that ask at the same time. */
  function unevictable(): Promise<number> {
    if (!walked || Math.abs(now() - walked.at) > unevictableFor) walked = { bytes: options.unevictable(), at: now() }
    return walked.bytes
  }

  async function reclaim(): Promise<void> {
    if (!reclaiming && Math.abs(now() - reclaimedAt) < reclaimEvery) return
    reclaiming ??= dropNow()
      .catch((error: unknown) => options.warn('what no manifest names could not be freed', error))
      .finally(() => (reclaiming = undefined))
    await reclaiming
  }

  return {
    repository(name) {
      const repository = { origin: hostedOrigin, name }
      return {
        hosted: true,
        key: `${hostedOrigin}/${name}`,
        manifest: (reference) => read(repository, reference),
        stat: (digest) => blobs.stat(repository, digest),
        blob: (digest, range) => blobs.open(repository, digest, range),
        tags: () => lists.tags(repository),
        knows: async (tag) => (await catalog.tag(repository, tag)) !== undefined,
        lacks: async (tag) => (await catalog.tag(repository, tag)) === undefined,
        kept: (tag) => read(repository, { tag }),
        firstComplete: (tags) => lists.firstComplete(repository, tags),
        referrers: async (subject, after) => ({ items: lists.referrers(repository, subject, after), cache: 'hit' }),
        startUpload: (start) => uploads.start(repository, start),
        upload: (id, by) => uploads.find(repository, id, by),
        mount: (digest, from) => blobs.mount(repository, digest, from),
        holders: (digest) => blobs.holders(digest),
        putManifest: (reference, bytes, mediaType, { tags = [] } = {}) =>
          push.put({ repository, reference, bytes, mediaType, tags }),
        deleteTag: (tag) => push.deleteTag(repository, tag),
        deleteManifest: (digest) => push.deleteManifest(repository, digest),
        deleteBlob: (digest) => push.deleteBlob(repository, digest),
      }
    },
    async sweep() {
      await uploads.expire()
      await dropNow()
    },
    close: () => uploads.close(),
  }
}
