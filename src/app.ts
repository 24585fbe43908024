/** The composition root: config -> drivers -> services -> the public face. The only file that picks drivers. */
import { join } from 'node:path'
import { type Catalog, createCatalog } from './catalog/catalog.ts'
import type { WholeSpool } from './catalog/places.ts'
import { createRoom, type Room } from './catalog/room.ts'
import { createSourcesFile } from './catalog/sources.ts'
import type { Config } from './config/load.ts'
import type { UpstreamConfig } from './config/upstreams.ts'
import type { Log } from './observe/log.ts'
import { createProxied, type Proxied } from './proxied/proxied.ts'
import { createRegistry } from './registry/registry.ts'
import { createOrigins } from './repository/origins.ts'
import { createRangeRules } from './repository/range-rules.ts'
import { createRanges } from './repository/ranges.ts'
import { createFileStore } from './store/files.ts'
import { openLevel } from './store/level.ts'
import { createSpools, type Spools } from './store/spools.ts'
import { createEviction } from './upkeep/eviction.ts'
import { partialsFor, startUpkeep } from './upkeep/upkeep.ts'
import { createAuthorizer } from './upstream/authorizer.ts'
import { createUpstream } from './upstream/client.ts'
import { createConnector } from './upstream/connector.ts'
import { createCredentials } from './upstream/credentials.ts'
import { createDockerCredentials, type DockerCredentials } from './upstream/docker-config.ts'
import type { Upstream } from './upstream/upstream.ts'

export interface App {
  /** `/v2`, `/livez` and `/readyz`. */
  public: ReturnType<typeof createRegistry>
  /** For the commands, over the operator's socket or in this process: all that the public face has. */
  operator: ReturnType<typeof createRegistry>
  /** From here on `/readyz` says no, so that nobody sends new clients. */
  drain(): void
  /** Ends downloads (their partials stay), then upkeep, connections, and the catalog last. */
  close(): Promise<void>
}

/** @param directory the data directory, held by this process */
export async function createApp(config: Config, directory: string, log: Log): Promise<App> {
  const kept = await openKept(config, directory, log)
  const docker = createDockerCredentials({ dockerConfig: config.dockerConfig, warn: (message) => log.warn(message) })
  const upstreams = config.upstreams.map((upstream) => connect(upstream, config, docker, log))
  const proxied = new Map<string, Proxied>()
  for (const { settings, upstream } of upstreams) {
    proxied.set(upstream.name, createProxied({ ...config, ...settings, ...kept, upstream, warn: warnTo(log) }))
  }
  const origins = createOrigins({
    ...config,
    ...('port' in config.listen ? { port: config.listen.port } : {}),
    openProxied: (upstream, name) => {
      const found = proxied.get(upstream.name)
      if (!found) throw new Error(`No upstream ${upstream.name} was made.`)
      return found.repository(name)
    },
  })
  const rulesOf = createRangeRules(config)
  const upkeep = startUpkeep({ ...kept, offline: config.offline, log })
  let draining = false

  const registry = createRegistry({
    resolve: (path, ns) => {
      const found = origins.resolve(path, ns)
      return { ...found, rules: rulesOf(found.key) }
    },
    ranges: createRanges(),
    names: config.names,
    log,
    ready: () => (draining ? 'The daemon is stopping.' : undefined),
  })
  return {
    public: registry,
    operator: registry,
    drain() {
      draining = true
    },
    async close() {
      await Promise.all([...proxied.values()].map((one) => one.close()))
      await upkeep.stop()
      await Promise.all(upstreams.map(({ upstream }) => upstream.close()))
      await kept.catalog.close()
    },
  }
}

/** Everything on disk, with its room counted. */
async function openKept(config: Config, directory: string, log: Log) {
  const onCorrupt = (key: string) => log.warn('a record of the catalog is corrupt and counts as absent', { key })
  const onWriteError = (error: unknown) => log.error('the catalog could not be written and is opened again', { error })
  const { store, state, dropped } = await openLevel(join(directory, 'catalog'), { onCorrupt, onWriteError })
  if (state === 'set-aside') log.error('the catalog could not be opened; it was set aside, and files are re-hashed')
  if (dropped > 0) log.error('the catalog lost records; files without one are re-hashed', { bytes: dropped })
  const spools = await createSpools(join(directory, 'spool'))
  const files = createFileStore(join(directory, 'blobs'))
  const sources = createSourcesFile(join(directory, 'sources'))
  const room: Room = createRoom({
    maxSize: config.maxSize,
    folder: directory,
    evict: (bytes) => makeRoom(bytes, spools, room, evict),
  })
  const count = (bytes: number) => room.count(bytes)
  const spool = (bytes: Uint8Array) => spoolWhole(spools, bytes)
  const catalog: Catalog = createCatalog({ store, files, sources, count, spool, warn: warnTo(log) })
  const evict = createEviction({ catalog, allowed: !config.offline, log: (message, facts) => log.info(message, facts) })
  await countKept(catalog, spools, room)
  return { catalog, files, sources, spools, room, catalogIsNew: state !== 'opened' || dropped > 0 }
}

/** What nobody is fetching any more goes first, then closures. */
async function makeRoom(bytes: number, spools: Spools, room: Room, evict: (bytes: number) => Promise<number>) {
  const { deleted } = await spools.sweep(0)
  room.count(-deleted)
  return deleted >= bytes ? deleted : deleted + (await evict(bytes - deleted))
}

async function countKept(catalog: Catalog, spools: Spools, room: Room): Promise<void> {
  for await (const [, record] of catalog.blobs()) room.count(record.size)
  await dropWholeSpools(spools)
  const { kept } = await spools.sweep(partialsFor)
  room.count(kept)
}

/** Names the spools of bytes that were in memory already, on their way to become a file. */
const wholeSpool = 'whole'

async function spoolWhole(spools: Spools, bytes: Uint8Array): Promise<WholeSpool> {
  const spool = await spools.create(wholeSpool)
  try {
    await spool.append(bytes)
    await spool.seal()
    return spool
  } catch (error) {
    await spool.discard()
    throw error
  }
}

/** Nobody resumes what a crash left of these. */
async function dropWholeSpools(spools: Spools): Promise<void> {
  for (let left = await spools.resume(wholeSpool); left; left = await spools.resume(wholeSpool)) await left.discard()
}

function connect(
  settings: UpstreamConfig,
  config: Config,
  docker: DockerCredentials,
  log: Log,
): { settings: UpstreamConfig; upstream: Upstream } {
  const { name, url, tokenRealms, redirectHosts, insecure, ca, clientCertificate, proxy } = settings
  const warn = (message: string) => log.warn(message, { upstream: name })
  const connector = createConnector({
    upstream: name,
    privateHosts: [url.host, ...redirectHosts, ...tokenRealms],
    tls: {
      insecure,
      ...(ca === undefined ? {} : { ca }),
      ...(clientCertificate ? { cert: clientCertificate.cert, key: clientCertificate.key.reveal() } : {}),
    },
    ...(proxy ? { proxy: new URL(proxy.reveal()) } : {}),
  })
  // What the user's credentials open is not the LAN's, unless the configuration says so.
  const usable = !config.allowAnonymousLan || settings.shared
  const credentials = usable
    ? createCredentials({ upstream: name, docker, configured: settings.credentials })
    : async () => undefined
  const authorizer = createAuthorizer({
    upstream: name,
    url,
    tokenRealms: [...tokenRealms],
    credentials,
    send: connector.metadata,
    warn,
  })
  return { settings, upstream: createUpstream({ name, url, connector, authorizer }) }
}

function warnTo(log: Log): (message: string, error: unknown) => void {
  return (message, error) => log.warn(message, error === undefined ? {} : { error })
}
