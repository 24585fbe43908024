/**
 * Bytes by digest, and the links that make them readable through a repository. Everything that is kept comes in through `keep`
 * and goes out through `forget`; both hold the digest's lock and the commit order of docs/architecture.md.
 */
import { failpoint } from '../observe/failpoint.ts'
import type { ByteSource } from '../oci/byte-source.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Tag } from '../oci/name.ts'
import type { BlobStore } from '../store/blob-store.ts'
import { changeOperations, changesOfKeeping } from './changes.ts'
import type { Commits } from './commits.ts'
import { createHolds } from './holds.ts'
import { holdersOf, isIrreplaceable, linkOperations, sourcesOf, union } from './links.ts'
import { createLock } from './lock.ts'
import { createManifestReader, type KeptManifest } from './manifest-reader.ts'
import { type Bytes, createPlaces, placeOf, sizeOf, type WholeSpool } from './places.ts'
import type { RecordStore } from './record-store.ts'
import {
  type BlobRecord,
  cannotBeFetched,
  type EdgesRecord,
  encode,
  keys,
  type Kind,
  type Link,
  type RepositoryKey,
  type Source,
  type TagRecord,
} from './records.ts'
import { type Referring, referringOperations, referringTo } from './referring.ts'
import { createRemoval, type Removal } from './removal.ts'
import type { Reservation } from './room.ts'
import { byDigest, linksBelow } from './scans.ts'
import type { SourcesFile } from './sources.ts'
import type { Uses } from './uses.ts'

export interface Keeping {
  digest: Digest
  bytes: Bytes
  /** One link a repository that the bytes are proved for. */
  links: Link[]
  /** For a manifest: what it reaches, the tags that mean it, and what it refers to in a hosted repository. */
  edges?: EdgesRecord
  tags?: readonly { tag: Tag; record: TagRecord }[]
  referring?: Referring
  /** Room for the bytes, which ends as they are kept; where keeping fails it stays the caller's. */
  reservation?: Reservation
}

export interface Content extends Omit<Removal, 'lose'> {
  link(repository: RepositoryKey, kind: Kind, digest: Digest): Promise<Link | undefined>
  blob(digest: Digest): Promise<BlobRecord | undefined>
  edges(digest: Digest): Promise<EdgesRecord | undefined>
  manifest(repository: RepositoryKey, digest: Digest): Promise<KeptManifest | undefined>
  /** `undefined` also where the bytes have gone from under their record, which is then dropped: a miss that the next fetch heals. */
  open(digest: Digest): Promise<ByteSource | undefined>
  /** Makes bytes, links, edges and tag durable in one batch. */
  keep(keeping: Keeping): Promise<void>
  /** A further link to bytes that are kept. False where they have gone. */
  addLink(link: Link): Promise<boolean>
  setVerified(digest: Digest, at: number): Promise<void>
  /** A file that outlived its record gets one again, without a link. */
  adoptFile(digest: Digest, record: BlobRecord): Promise<void>
  /** Whether nobody else has it, as far as links tell. */
  isIrreplaceable(digest: Digest): Promise<boolean>
  /** Deletes a file that no record speaks of, or sets it aside where nobody else has it. */
  sweepFile(digest: Digest): Promise<void>
  /** Whether somebody reads it now. */
  isHeld(digest: Digest): boolean
  /** Everything that is kept, for upkeep. */
  blobs(): AsyncIterable<[Digest, BlobRecord]>
  allEdges(): AsyncIterable<[Digest, EdgesRecord]>
  links(): AsyncIterable<Link>
  linksOf(origin: string): AsyncIterable<Link>
  /** The links of one repository; without a kind, its manifests' after its blobs'. */
  linksIn(repository: RepositoryKey, kind?: Kind): AsyncIterable<Link>
  /** The repositories that have the digest as content of this kind. */
  holders(digest: Digest, kind: Kind): Promise<RepositoryKey[]>
  /** What refers to a subject in a hosted repository: in ascending order of their digests, those above `after`. */
  referringTo(repository: RepositoryKey, subject: Digest, after?: Digest): AsyncIterable<Descriptor>
}

export interface ContentOptions {
  records: RecordStore
  commits: Commits
  files: BlobStore
  sources: SourcesFile
  uses: Uses
  /** Writes bytes to a new spool file. */
  spool: (bytes: Uint8Array) => Promise<WholeSpool>
  /** Told of content that comes without a reservation, or goes, in bytes. */
  count: (bytes: number) => void
  /** Told of what was lost and costs a fetch. */
  warn?: (message: string, error: unknown) => void
  now?: () => number
}

export function createContent(options: ContentOptions): Content {
  const { records, commits, sources, uses, count, warn = () => {}, now = Date.now } = options
  const locked = createLock()
  const holds = createHolds()
  const places = createPlaces(options)
  const manifests = createManifestReader({
    records,
    uses,
    open,
    async onDamage(digest, error) {
      warn(`the kept manifest ${digest} is damaged; it is dropped`, error)
      const record = await blob(digest)
      if (record) await removal.forgetDamaged(digest, record)
    },
  })
  const removal = createRemoval({
    ...options,
    places,
    locked,
    changed: (repository, digest) => manifests.changed(repository, digest),
  })

  const blob = (digest: Digest) => records.read<BlobRecord>(keys.blob(digest))

  async function open(digest: Digest): Promise<ByteSource | undefined> {
    const record = await blob(digest)
    if (!record) return undefined
    const source = await places.open(digest, record)
    if (source) return holds.hold(digest, source)
    const isBack = await locked(digest, async () => {
      const still = await blob(digest)
      if (!still) return false
      if (await places.isThere(digest, still)) return true
      await removal.lose(digest, still)
      return false
    })
    return isBack ? open(digest) : undefined
  }

  async function keep(keeping: Keeping): Promise<void> {
    const { digest, bytes, links, edges, reservation } = keeping
    const before = await blob(digest)
    const size = sizeOf(bytes)
    // A file is never worse than what is inline: it outlives the catalog.
    const place = before?.place === 'file' ? 'file' : placeOf(size, links)
    // These bytes have just been verified; those that are there may have rotted since.
    const operations = await places.put(digest, bytes, place)
    if (before?.place === 'inline' && place === 'file') operations.push({ delete: keys.inline(digest) })
    const record: BlobRecord = {
      size,
      place,
      verifiedAt: now(),
      keptAt: before?.keptAt ?? now(),
      sources: union(before?.sources ?? [], sourcesOf(links)),
    }
    const changes = changesOfKeeping({ links, size, tags: keeping.tags })
    operations.push({ put: keys.blob(digest), value: encode(record) }, ...changes.flatMap(changeOperations))
    if (edges) operations.push({ put: keys.edges(digest), value: encode(edges) })
    for (const { repository } of keeping.referring ? links : []) {
      if (keeping.referring) operations.push(...referringOperations(repository, keeping.referring))
    }
    failpoint('content.placed')
    try {
      await commits.write(operations, links.some(cannotBeFetched) ? changes : [])
    } catch (error) {
      // What has no record is not kept: its bytes would only take up room, uncounted.
      if (before?.place !== place) await places.remove(digest, place)
      throw error
    } finally {
      for (const { repository } of links) manifests.changed(repository, digest)
    }
    const more = size - (before?.size ?? 0)
    if (reservation) reservation.keep(more)
    else count(more)
    uses.touch(digest)
    if (record.place === 'file') await noteSources(digest, record.sources.slice(before?.sources.length ?? 0))
  }

  // After the record, so that what rewrites the file from the records misses none. A line that is lost costs one fetch.
  async function noteSources(digest: Digest, added: Source[]): Promise<void> {
    try {
      for (const source of added) await sources.append(digest, source)
    } catch (error) {
      warn(`where ${digest} came from could not be noted beside it`, error)
    }
  }

  async function addLink(link: Link): Promise<boolean> {
    const record = await blob(link.digest)
    if (!record) return false
    const operations = linkOperations(link)
    const mustMove = cannotBeFetched(link) && record.place === 'inline'
    if (mustMove) {
      if (!(await places.moveToFile(link.digest))) return false
      const moved: BlobRecord = { ...record, place: 'file' }
      operations.push({ put: keys.blob(link.digest), value: encode(moved) }, { delete: keys.inline(link.digest) })
    }
    try {
      await commits.write(operations, cannotBeFetched(link) ? [{ link, size: record.size }] : [])
    } finally {
      manifests.changed(link.repository, link.digest)
    }
    if (cannotBeFetched(link)) uses.touch(link.digest)
    return true
  }

  return {
    ...removal,
    link: (repository, kind, digest) => records.read<Link>(keys.link(repository, kind, digest)),
    blob,
    edges: (digest) => records.read<EdgesRecord>(keys.edges(digest)),
    manifest: (repository, digest) => manifests.read(repository, digest),
    open,
    isIrreplaceable: (digest) => isIrreplaceable(records, digest),
    isHeld: (digest) => holds.isHeld(digest),
    blobs: () => byDigest<BlobRecord>(records.scan(keys.blobs())),
    allEdges: () => byDigest<EdgesRecord>(records.scan(keys.allEdges())),
    links: () => linksBelow(records, keys.links()),
    linksOf: (origin) => linksBelow(records, `${keys.links()}${origin} `),
    linksIn: (repository, kind) => linksBelow(records, keys.linksIn(repository, kind)),
    holders: (digest, kind) => holdersOf(records, digest, kind),
    referringTo: (repository, subject, after) => referringTo(records, repository, subject, after),
    keep: (keeping) => locked(keeping.digest, () => keep(keeping)),
    addLink: (link) => locked(link.digest, () => addLink(link)),
    setVerified: (digest, at) =>
      locked(digest, async () => {
        const record = await blob(digest)
        if (record) await records.write([{ put: keys.blob(digest), value: encode({ ...record, verifiedAt: at }) }])
      }),
    adoptFile: (digest, record) =>
      locked(digest, async () => {
        if (await blob(digest)) return
        await records.write([{ put: keys.blob(digest), value: encode(record) }])
        count(record.size)
      }),
    sweepFile: (digest) =>
      locked(digest, async () => {
        if (await blob(digest)) return
        if (await isIrreplaceable(records, digest)) await places.setAside(digest, 'file')
        else await places.remove(digest, 'file')
      }),
  }
}
