/**
 * Bytes by digest, and the links that make them readable through a repository. Everything that is kept comes in through `keep`
 * and goes out through `forget`; both hold the digest's lock and the commit order of docs/architecture.md.
 */
import { LRUCache } from 'lru-cache'
import { readFile, unlink } from 'node:fs/promises'
import { type ByteSource, readAll } from '../oci/byte-source.ts'
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts'
import type { Tag } from '../oci/name.ts'
import type { BlobStore } from '../store/blob-store.ts'
import type { Operation } from '../store/key-value.ts'
import { createHolds } from './holds.ts'
import { createLock } from './lock.ts'
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
import type { SourcesFile } from './sources.ts'
import type { Uses } from './uses.ts'

/** Larger content is a file (measured: docs/decisions/0001-bytes-outside-leveldb.md). */
export const inlineLimit = 16 * 1024

const memoryForManifests = 32 * 1024 * 1024

export interface KeptManifest {
  digest: Digest
  bytes: Uint8Array
  link: Link
}

/** Bytes that already match their digest: in memory, or in a spool file, which `keep` takes over. */
export type Bytes = { bytes: Uint8Array } | { spool: string; size: number }

export interface Keeping {
  digest: Digest
  bytes: Bytes
  /** One link a repository that the bytes are proved for. */
  links: Link[]
  /** For a manifest: what it reaches, and the tag that it was asked for by. */
  edges?: EdgesRecord
  tag?: { tag: Tag; record: TagRecord }
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
  /** Writes bytes to a new spool file and settles with its path. */
  spool: (bytes: Uint8Array) => Promise<string>
  /** Told of content that comes or goes, in bytes. */
  count: (bytes: number) => void
  now?: () => number
}

export function createContent(options: ContentOptions): Content {
  const { records, files, sources, uses, spool, count, now = Date.now } = options
  const locked = createLock()
  const holds = createHolds()
  const manifests = new LRUCache<string, KeptManifest>({
    maxSize: memoryForManifests,
    sizeCalculation: (kept) => kept.bytes.length + 512,
  })

  const blob = (digest: Digest) => records.read<BlobRecord>(keys.blob(digest))

  async function openBytes(digest: Digest, record: BlobRecord): Promise<ByteSource | undefined> {
    if (record.place === 'inline') {
      const bytes = await records.bytes(keys.inline(digest))
      return bytes && digestOf(bytes, algorithmOf(digest)) === digest ? inMemory(bytes) : undefined
    }
    const source = await files.open(digest)
    if (source?.size === record.size) return source
    await source?.close()
    return undefined
  }

  async function isThere(digest: Digest, record: BlobRecord): Promise<boolean> {
    const source = await openBytes(digest, record)
    await source?.close()
    return source !== undefined
  }

  async function open(digest: Digest): Promise<ByteSource | undefined> {
    const record = await blob(digest)
    if (!record) return undefined
    const source = await openBytes(digest, record)
    if (source) return holds.hold(digest, source)
    await locked(digest, async () => {
      const still = await blob(digest)
      if (still && !(await isThere(digest, still))) await drop(digest, still)
    })
    return undefined
  }

  // The record first, the file after it: a crash in between leaves a file without a record, which the next start sweeps.
  async function drop(digest: Digest, record: BlobRecord): Promise<void> {
    const operations: Operation[] = [keys.blob, keys.inline, keys.edges, keys.used].map((key) => ({
      delete: key(digest),
    }))
    for await (const [key] of records.scan(keys.linksOf(digest))) {
      const [, , origin = '', name = '', kind = ''] = key.split(' ')
      operations.push({ delete: key }, { delete: `link ${origin} ${name} ${kind} ${digest}` })
      manifests.delete(`${origin} ${name} ${digest}`)
    }
    await records.write(operations)
    count(-record.size)
    if (record.place === 'file') await files.delete(digest)
  }

  async function place(digest: Digest, bytes: Bytes): Promise<Operation[]> {
    if ('bytes' in bytes && bytes.bytes.length <= inlineLimit) {
      return [{ put: keys.inline(digest), value: bytes.bytes }]
    }
    const path = 'bytes' in bytes ? await spool(bytes.bytes) : bytes.spool
    const size = sizeOf(bytes)
    if (size > inlineLimit) {
      await files.delete(digest)
      await files.adopt(path, { digest, size })
      return []
    }
    const value = await readFile(path)
    await unlink(path)
    return [{ put: keys.inline(digest), value }]
  }

  async function keep({ digest, bytes, links, edges, tag }: Keeping): Promise<void> {
    const before = await blob(digest)
    const kept = before && (await isThere(digest, before)) ? before : undefined
    if (kept && 'spool' in bytes) await unlink(bytes.spool)
    const operations = kept ? [] : await place(digest, bytes)
    const size = sizeOf(bytes)
    const at = now()
    const added = sourcesOf(links)
    const record: BlobRecord = {
      size,
      place: kept?.place ?? (size > inlineLimit ? 'file' : 'inline'),
      verifiedAt: kept?.verifiedAt ?? at,
      keptAt: before?.keptAt ?? at,
      sources: union(before?.sources ?? [], added),
    }
    operations.push({ put: keys.blob(digest), value: encode(record) }, ...links.flatMap(linkOperations))
    if (edges) operations.push({ put: keys.edges(digest), value: encode(edges) })
    for (const { repository } of tag ? links : []) {
      if (tag) operations.push({ put: keys.tag(repository, tag.tag), value: encode(tag.record) })
    }
    if (record.place === 'file') for (const source of added) await sources.append(digest, source)
    await records.write(operations)
    if (!before) count(size)
    uses.touch(digest)
  }

  async function manifest(repository: RepositoryKey, digest: Digest): Promise<KeptManifest | undefined> {
    const key = `${repository.origin} ${repository.name} ${digest}`
    const remembered = manifests.get(key)
    if (remembered) {
      uses.touch(digest)
      return remembered
    }
    const link = await records.read<Link>(keys.link(repository, 'manifest', digest))
    const source = link && (await open(digest))
    if (!link || !source) return undefined
    const bytes = await readAll(source)
    if (digestOf(bytes, algorithmOf(digest)) !== digest) {
      await forget(digest)
      return undefined
    }
    const kept = { digest, bytes, link }
    manifests.set(key, kept)
    uses.touch(digest)
    return kept
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
    manifest,
    open,
    forget,
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
        await records.write(linkOperations(link))
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
        if (!(await blob(digest))) await files.delete(digest)
      }),
  }
}

function linkOperations(link: Link): Operation[] {
  return [
    { put: keys.link(link.repository, link.kind, link.digest), value: encode(link) },
    { put: keys.linkOf(link.digest, link.repository, link.kind), value: encode({}) },
  ]
}

async function* byDigest<T>(pairs: AsyncIterable<[string, Uint8Array]>): AsyncGenerator<[Digest, T]> {
  for await (const [key, value] of pairs) yield [lastPart(key) as Digest, decode<T>(value)]
}

function sizeOf(bytes: Bytes): number {
  return 'bytes' in bytes ? bytes.bytes.length : bytes.size
}

function sourcesOf(links: Link[]): Source[] {
  const fetched = links.filter((link) => link.proof === 'fetched')
  return fetched.map((link) => ({ upstream: link.repository.origin, credential: link.credential }))
}

function union(before: Source[], added: Source[]): Source[] {
  const all = new Map([...before, ...added].map((source) => [`${source.upstream} ${source.credential}`, source]))
  return [...all.values()]
}

function inMemory(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    async read(position, buffer) {
      const part = bytes.subarray(position, position + buffer.length)
      buffer.set(part)
      return part.length
    },
    async close() {},
  }
}
