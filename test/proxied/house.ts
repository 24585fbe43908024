/** A house around one scripted upstream: real store, catalog and upstream client in a temporary directory, no HTTP in front. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Catalog, createCatalog } from '../../src/catalog/catalog.ts'
import { createRoom, type Room, type RoomOptions } from '../../src/catalog/room.ts'
import { createSourcesFile } from '../../src/catalog/sources.ts'
import type { ByteSource } from '../../src/oci/byte-source.ts'
import { type Digest, parseDigest } from '../../src/oci/digest.ts'
import { parseName, parseTag, type Reference } from '../../src/oci/name.ts'
import { createProxied, type Proxied, type ProxiedOptions } from '../../src/proxied/proxied.ts'
import type { OpenBlob, Repository } from '../../src/repository/repository.ts'
import type { BlobStore } from '../../src/store/blob-store.ts'
import { createFileStore } from '../../src/store/files.ts'
import { openJournal } from '../../src/store/journal.ts'
import { openLevel } from '../../src/store/level.ts'
import { createSpools, type Spools } from '../../src/store/spools.ts'
import { createAuthorizer } from '../../src/upstream/authorizer.ts'
import { createUpstream } from '../../src/upstream/client.ts'
import { createConnector } from '../../src/upstream/connector.ts'
import type { CredentialSource } from '../../src/upstream/credential.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'

export interface House {
  registry: ScriptedRegistry
  directory: string
  catalog: Catalog
  room: Room
  spools: Spools
  upstream: Upstream
  /** What was warned of. */
  warnings: string[]
  repository(name: string): Repository
  /** Time goes on for everything that asks what time it is. */
  pass(ms: number): void
  /** A second origin over the same catalog: another upstream name, or other options. */
  proxied(options: Partial<ProxiedOptions>, upstream?: Upstream): (name: string) => Repository
  /** The same, as the thing that has repositories and can be closed. */
  open(options: Partial<ProxiedOptions>, upstream?: Upstream): Proxied
  connect(name: string, registry: ScriptedRegistry, credentials?: CredentialSource): Upstream
}

export interface HouseOptions extends Partial<ProxiedOptions> {
  referrers?: boolean
  maxSize?: number
  credentials?: CredentialSource
  evict?: (catalog: Catalog, bytes: number) => Promise<number>
  /** Stands in for the spools' directory: how bytes arrive on disk. */
  spoolsFrom?: (spools: Spools) => Spools
  /** Stands in for the files of blobs: how a disk gives them back. */
  filesFrom?: (files: BlobStore) => BlobStore
  roomFrom?: (options: RoomOptions) => Room
}

export async function openHouse(options: HouseOptions = {}): Promise<House> {
  const directory = await mkdtemp(join(tmpdir(), 'entrepot-test-'))
  const registry = await startScriptedRegistry({ referrers: options.referrers })
  const { store } = await openLevel(join(directory, 'catalog'), { reserve: 0 })
  const opened = await createSpools(join(directory, 'spool'))
  const spools = options.spoolsFrom?.(opened) ?? opened
  const files = createFileStore(join(directory, 'blobs'))
  const warnings: string[] = []
  let ahead = 0
  const now = () => Date.now() + ahead
  const room: Room = (options.roomFrom ?? createRoom)({
    maxSize: options.maxSize ?? 1024 ** 3,
    folder: directory,
    minFree: 0,
    evict: async (bytes) => (options.evict ? options.evict(catalog, bytes) : 0),
  })
  const catalog: Catalog = createCatalog({
    store,
    files: options.filesFrom?.(files) ?? files,
    sources: createSourcesFile(join(directory, 'sources')),
    journal: await openJournal(join(directory, 'journal')),
    spool: async (bytes) => {
      const spool = await spools.create('manifest')
      await spool.append(bytes)
      await spool.seal()
      return spool
    },
    count: (bytes) => room.count(bytes),
    warn: (message) => void warnings.push(message),
    now,
  })

  const connect: House['connect'] = (name, target, credentials = async () => undefined) => {
    const url = new URL(target.url)
    const connector = createConnector({ upstream: name, privateHosts: [target.host], idleTimeout: 2_000 })
    const authorizer = createAuthorizer({
      upstream: name,
      url,
      tokenRealms: [],
      credentials,
      send: connector.metadata,
      warn: (message) => warnings.push(message),
    })
    const budget = { attempts: 2, delay: 1, failures: 1_000 }
    const upstream = createUpstream({ name, url, connector, authorizer, budget })
    onTestFinished(() => upstream.close())
    return upstream
  }

  const upstream = connect('upstream.test', registry, options.credentials)
  const open: House['open'] = (more, other = upstream) => {
    const made = createProxied({
      catalog,
      upstream: other,
      spools,
      room,
      freshFor: 60_000,
      listsFreshFor: 300_000,
      offline: false,
      allowAnonymousLan: false,
      shared: false,
      onUpstreamGone: 'keep',
      onUpstreamDenied: 'keep',
      warn: (message) => warnings.push(message),
      now,
      ...more,
    })
    onTestFinished(() => made.close())
    return made
  }
  const proxied: House['proxied'] = (more, other) => {
    const made = open(more, other)
    return (name) => made.repository(repositoryName(name))
  }

  onTestFinished(async () => {
    await registry.close()
    await catalog.close()
    await rm(directory, { recursive: true, force: true })
  })
  return {
    registry,
    directory,
    catalog,
    room,
    spools,
    upstream,
    warnings,
    repository: proxied(options),
    pass: (ms) => void (ahead += ms),
    open,
    proxied,
    connect,
  }
}

export function repositoryName(text: string) {
  const name = parseName(text)
  if (!name) throw new Error(`${text} is no repository name`)
  return name
}

export function tag(text: string): Reference & { tag: NonNullable<ReturnType<typeof parseTag>> } {
  const parsed = parseTag(text)
  if (!parsed) throw new Error(`${text} is no tag`)
  return { tag: parsed }
}

export function digest(text: string): Digest {
  const parsed = parseDigest(text)
  if (!parsed) throw new Error(`${text} is no digest`)
  return parsed
}

/** All bytes that a reader gets, in reads of at most `step` bytes. */
export async function drain(source: ByteSource, from = 0, to = Number.POSITIVE_INFINITY, step = 64 * 1024) {
  const chunks: Buffer[] = []
  try {
    for (let position = from; position < to;) {
      const buffer = Buffer.alloc(Math.min(step, to - position))
      const count = await source.read(position, buffer)
      if (count === 0) break
      chunks.push(buffer.subarray(0, count))
      position += count
    }
  } finally {
    await source.close()
  }
  return Buffer.concat(chunks)
}

export async function drainBlob(blob: OpenBlob | undefined): Promise<Buffer> {
  if (!blob) throw new Error('no such blob')
  return drain(blob.bytes, blob.span?.start, blob.span?.end)
}

/** Names of the files below a folder of the house. */
export async function filesIn(house: House, folder: string): Promise<string[]> {
  const entries = await readdir(join(house.directory, folder), { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
}

export const indexType = 'application/vnd.oci.image.index.v1+json'
export const imageType = 'application/vnd.oci.image.manifest.v1+json'

/** An image of one layer, pushed to the registry; the manifest as Helm writes it, without a mediaType. */
export function pushImage(registry: ScriptedRegistry, name: string, tagName: string | undefined, layer: Uint8Array) {
  const config = Buffer.from(JSON.stringify({ created: tagName }))
  const describe = (bytes: Uint8Array, mediaType: string) => ({
    mediaType,
    digest: registry.putBlob(name, bytes),
    size: bytes.length,
  })
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: describe(config, 'application/vnd.oci.image.config.v1+json'),
    layers: [describe(layer, 'application/vnd.oci.image.layer.v1.tar')],
  })
  const manifestDigest = registry.putManifest(name, tagName, manifest, imageType)
  return { digest: manifestDigest, bytes: Buffer.from(manifest), config, layer }
}
