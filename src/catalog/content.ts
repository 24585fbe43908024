/**
 * Bytes by digest, and the links that make them readable through a repository. Everything that is kept comes in through `keep`
 * and goes out through `forget`; both hold the digest's lock and the commit order of docs/architecture.md.
 */
import { unlink } from 'node:fs/promises'
import { failpoint } from '../observe/failpoint.ts'
import type { ByteSource } from '../oci/byte-source.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import type { Tag } from '../oci/name.ts'
import type { BlobStore } from '../store/blob-store.ts'
import { createHolds } from './holds.ts'
import { isLinked, linkOperations, sourcesOf, union, unlinkOperations } from './links.ts'
import { createLock } from './lock.ts'
import { createManifestReader, type KeptManifest } from './manifest-reader.ts'
import { type Bytes, createPlaces, placeOf, sizeOf, type WholeSpool } from './places.ts'
import type { RecordStore } from './record-store.ts'
import {
  type BlobRecord,
  decode,
  type EdgesRecord,
  encode,
  keys,
  type Kind,
  lastPart,
  type Link,
  type RepositoryKey,
  type Source,
  type TagRecord,
} from './records.ts'
import type { Reservation } from './room.ts'
import type { SourcesFile } from './sources.ts'
import type { Uses } from './uses.ts'

export interface Keeping {
  digest: Digest
  bytes: Bytes
  /** One link a repository that the bytes are proved for. */
  links: Link[]
  /** For a manifest: what it reaches, and the tag that it was asked for by. */
  edges?: EdgesRecord
  tag?: { tag: Tag; record: TagRecord }
  /** Room for the bytes, which ends as they are kept; where keeping fails it stays the caller's. */
  reservation?: Reservation
}

export interface Content {
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
  /** Drops record, links and bytes; an open reader keeps its own. Settles with the bytes that were freed. */
  forget(digest: Digest): Promise<number>
  /** Forgets bytes that turned out to be damaged, unless others have taken their place since `record` was read. */
  forgetDamaged(digest: Digest, record: BlobRecord): Promise<void>
  /** Forgets what no link names. */
  forgetUnlinked(digest: Digest): Promise<void>
  /** Deletes a file that no record speaks of. */
  sweepFile(digest: Digest): Promise<void>
  /** Whether somebody reads it now. */
  isHeld(digest: Digest): boolean
  /** Everything that is kept, for upkeep. */
  blobs(): AsyncIterable<[Digest, BlobRecord]>
  allEdges(): AsyncIterable<[Digest, EdgesRecord]>
  links(): AsyncIterable<Link>
}

export interface ContentOptions {
  records: RecordStore
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
  const { records, sources, uses, count, warn = () => {}, now = Date.now } = options
  const locked = createLock()
  const holds = createHolds()
  const places = createPlaces(options)
  const manifests = createManifestReader({
    records,
    uses,
    open,
    async onDamage(digest, error) {
      warn(`the kept manifest ${digest} is damaged; it is dropped`, error)
      await forget(digest)
    },
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
      await drop(digest, still)
      return false
    })
    return isBack ? open(digest) : undefined
  }

  // The record first, the file after it: a crash in between leaves a file without a record, which the next start sweeps.
  async function drop(digest: Digest, record: BlobRecord): Promise<void> {
    const { operations, repositories } = await unlinkOperations(records, digest)
    for (const key of [keys.blob, keys.inline, keys.edges, keys.used]) operations.push({ delete: key(digest) })
    uses.forget(digest)
    try {
      await records.write(operations)
    } finally {
      for (const repository of repositories) manifests.changed(repository, digest)
    }
    failpoint('content.dropped')
    count(-record.size)
    await places.remove(digest, record.place)
  }

  async function keep({ digest, bytes, links, edges, tag, reservation }: Keeping): Promise<void> {
    const before = await blob(digest)
    const kept = before && (await places.isThere(digest, before)) ? before : undefined
    if (kept && 'spool' in bytes) await unlink(bytes.spool)
    const operations = kept ? [] : await places.put(digest, bytes)
    const size = sizeOf(bytes)
    const record: BlobRecord = {
      size,
      place: kept?.place ?? placeOf(size),
      verifiedAt: kept?.verifiedAt ?? now(),
      keptAt: kept?.keptAt ?? now(),
      sources: union(before?.sources ?? [], sourcesOf(links)),
    }
    operations.push({ put: keys.blob(digest), value: encode(record) }, ...links.flatMap(linkOperations))
    if (edges) operations.push({ put: keys.edges(digest), value: encode(edges) })
    for (const { repository } of tag ? links : []) {
      if (tag) operations.push({ put: keys.tag(repository, tag.tag), value: encode(tag.record) })
    }
    failpoint('content.placed')
    try {
      await records.write(operations)
    } catch (error) {
      // What has no record is not kept: its bytes would only take up room, uncounted.
      if (!kept) await places.remove(digest, record.place)
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

  const forget = (digest: Digest) =>
    locked(digest, async () => {
      const record = await blob(digest)
      if (!record) return 0
      await drop(digest, record)
      return record.size
    })

  return {
    link: (repository, kind, digest) => records.read<Link>(keys.link(repository, kind, digest)),
    blob,
    edges: (digest) => records.read<EdgesRecord>(keys.edges(digest)),
    manifest: (repository, digest) => manifests.read(repository, digest),
    open,
    forget,
    forgetDamaged: (digest, record) =>
      locked(digest, async () => {
        const still = await blob(digest)
        if (still && still.keptAt === record.keptAt) await drop(digest, still)
      }),
    forgetUnlinked: (digest) =>
      locked(digest, async () => {
        const record = (await isLinked(records, digest)) ? undefined : await blob(digest)
        if (record) await drop(digest, record)
      }),
    isHeld: (digest) => holds.isHeld(digest),
    blobs: () => byDigest<BlobRecord>(records.scan(keys.blobs())),
    allEdges: () => byDigest<EdgesRecord>(records.scan(keys.allEdges())),
    async *links() {
      for await (const [, value] of records.scan(keys.links())) yield decode<Link>(value)
    },
    keep: (keeping) => locked(keeping.digest, () => keep(keeping)),
    addLink: (link) =>
      locked(link.digest, async () => {
        if (!(await blob(link.digest))) return false
        try {
          await records.write(linkOperations(link))
        } finally {
          manifests.changed(link.repository, link.digest)
        }
        return true
      }),
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
        if (!(await blob(digest))) await places.remove(digest, 'file')
      }),
  }
}

async function* byDigest<T>(pairs: AsyncIterable<[string, Uint8Array]>): AsyncGenerator<[Digest, T]> {
  for await (const [key, value] of pairs) {
    const digest = parseDigest(lastPart(key))
    if (digest) yield [digest, decode<T>(value)]
  }
}
