/** Hosted repositories over a real store in a temporary directory, which can be closed and opened again. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Catalog, createCatalog } from '../../src/catalog/catalog.ts'
import type { Restored } from '../../src/catalog/restore.ts'
import { createRoom, type Room } from '../../src/catalog/room.ts'
import { createSourcesFile } from '../../src/catalog/sources.ts'
import { createHosted, type Hosted, type HostedOptions } from '../../src/hosted/hosted.ts'
import { readAll } from '../../src/oci/byte-source.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { OciError } from '../../src/oci/errors.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { parseName, parseTag, type Reference, type RepositoryName, type Tag } from '../../src/oci/name.ts'
import type { HostedRepository } from '../../src/repository/hosted.ts'
import type { BlobStore } from '../../src/store/blob-store.ts'
import { createFileStore } from '../../src/store/files.ts'
import { openJournal } from '../../src/store/journal.ts'
import { openLevel } from '../../src/store/level.ts'
import { createSessionFiles } from '../../src/store/session-files.ts'
import { createSpools, type Spools } from '../../src/store/spools.ts'
import { createEviction, unevictable } from '../../src/upkeep/eviction.ts'
import { temporaryDirectory } from '../store/temporary.ts'

export interface House {
  directory: string
  catalog: Catalog
  hosted: Hosted
  files: BlobStore
  spools: Spools
  room: Room
  restored: Restored
  warnings: string[]
  repository(name: string): HostedRepository
  /** As a daemon that ends. */
  close(): Promise<void>
}

export interface HouseOptions extends Partial<
  Pick<HostedOptions, 'immutableTags' | 'maxUploadAge' | 'grace' | 'isVisible' | 'unevictable'>
> {
  directory?: string
  maxSize?: number
  clock?: { now: number }
  wasAbandoned?: boolean
}

export async function openHouse(options: HouseOptions = {}): Promise<House> {
  const { maxSize = 1024 ** 3 } = options
  const directory = options.directory ?? (await temporaryDirectory())
  const now = () => options.clock?.now ?? Date.now()
  const { store, state, dropped } = await openLevel(join(directory, 'catalog'), { reserve: 0 })
  const spools = await createSpools(join(directory, 'spool'))
  const files = createFileStore(join(directory, 'blobs'))
  const room: Room = createRoom({ maxSize, folder: directory, minFree: 0, evict: (bytes) => evict(bytes) })
  const warnings: string[] = []
  const warn = (message: string) => void warnings.push(message)
  const catalog = createCatalog({
    store,
    files,
    sources: createSourcesFile(join(directory, 'sources')),
    journal: await openJournal(join(directory, 'journal')),
    count: (bytes) => room.count(bytes),
    spool: async (bytes) => {
      const spool = await spools.create('whole')
      await spool.append(bytes)
      await spool.seal()
      return spool
    },
    wasAbandoned: options.wasAbandoned === true,
    warn,
    now,
  })
  const restored = await catalog.restore(state !== 'opened' || dropped > 0)
  const evict = createEviction({ catalog, allowed: true, log: () => {} })
  for await (const [, record] of catalog.blobs()) room.count(record.size)
  room.count((await spools.sweep(60_000)).kept)
  const hosted = await createHosted({
    isVisible: () => true,
    immutableTags: [],
    unevictable: () => unevictable(catalog),
    ...options,
    catalog,
    spools,
    sessions: createSessionFiles(join(directory, 'spool')),
    room,
    maxSize,
    warn,
    now,
  })
  let closing: Promise<void> | undefined
  const close = () => (closing ??= hosted.close().then(() => catalog.close()))
  onTestFinished(close)
  return {
    directory,
    catalog,
    hosted,
    files,
    spools,
    room,
    restored,
    warnings,
    close,
    repository: (text) => hosted.repository(nameOf(text)),
  }
}

export function nameOf(text: string): RepositoryName {
  const name = parseName(text)
  if (!name) throw new TypeError(`${text} is no name`)
  return name
}

export function tagOf(text: string): Tag {
  const tag = parseTag(text)
  if (!tag) throw new TypeError(`${text} is no tag`)
  return tag
}

export function tagged(text: string): Reference {
  return { tag: tagOf(text) }
}

export async function* chunksOf(bytes: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export async function pushBlob(
  repository: HostedRepository,
  bytes: Uint8Array,
  algorithm: 'sha256' | 'sha512' = 'sha256',
): Promise<Digest> {
  const digest = digestOf(bytes, algorithm)
  const upload = await repository.startUpload({ by: 'anonymous', algorithm })
  await upload.append(chunksOf(bytes))
  await upload.commit(digest)
  return digest
}

export interface ImageOptions {
  layers?: Uint8Array[]
  more?: Record<string, unknown>
}

/** A manifest over blobs, which are pushed first. */
export async function imageOf(repository: HostedRepository, { layers = [], more = {} }: ImageOptions = {}) {
  const config = Buffer.from('{}')
  const descriptors = []
  for (const bytes of [config, ...layers]) {
    const mediaType = bytes === config ? 'application/vnd.oci.image.config.v1+json' : 'application/x.layer'
    descriptors.push({ mediaType, digest: await pushBlob(repository, bytes), size: bytes.length })
  }
  const [first, ...rest] = descriptors
  return jsonBytes({ schemaVersion: 2, mediaType: ociManifest, config: first, layers: rest, ...more })
}

export function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

export async function blobBytes(repository: HostedRepository, digest: Digest): Promise<Uint8Array | undefined> {
  const opened = await repository.blob(digest)
  return opened && readAll(opened.bytes)
}

/** The error, which must be an OciError. */
export async function refusal(work: Promise<unknown>): Promise<OciError> {
  const error = await work.then(
    () => new Error('nothing was refused'),
    (failure: unknown) => failure,
  )
  if (error instanceof OciError) return error
  throw error
}

export async function referring(repository: HostedRepository, subject: Digest, after?: Digest): Promise<Descriptor[]> {
  const listed = await repository.referrers(subject, after)
  return Array.fromAsync(listed?.items ?? [])
}

export async function fileCount({ directory }: House): Promise<number> {
  const entries = await readdir(join(directory, 'blobs'), { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).length
}

export function spoolNames({ directory }: House): Promise<string[]> {
  return readdir(join(directory, 'spool'))
}
