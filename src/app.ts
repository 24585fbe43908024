/** The composition root: config -> drivers -> services -> the public face. The only file that picks drivers. */
import { join } from 'node:path'
import { type Catalog, createCatalog } from './catalog/catalog.ts'
import type { WholeSpool } from './catalog/places.ts'
import { isFromJournal } from './catalog/records.ts'
import { createRoom, type Room } from './catalog/room.ts'
import { createSourcesFile } from './catalog/sources.ts'
import type { Config } from './config/load.ts'
import { idleUsers } from './config/idle.ts'
import { ConfigError } from './config/problem.ts'
import { exposureOf } from './config/secret.ts'
import type { UpstreamConfig } from './config/upstreams.ts'
import { createHosted, type Hosted } from './hosted/hosted.ts'
import type { Log } from './observe/log.ts'
import { matches } from './oci/pattern.ts'
import { visibleLinks } from './proxied/links.ts'
import { createProxied, type Proxied } from './proxied/proxied.ts'
import { type Access, openAccess } from './registry/access/open.ts'
import { HtpasswdError } from './registry/access/users.ts'
import { createRegistry, type RegistryOptions } from './registry/registry.ts'
import { createOrigins } from './repository/origins.ts'
import { createRangeRules } from './repository/range-rules.ts'
import { createRanges } from './repository/ranges.ts'
import { createFileStore } from './store/files.ts'
import type { Holding } from './store/holder.ts'
import { openJournal } from './store/journal.ts'
import { openLevel } from './store/level.ts'
import { createSessionFiles } from './store/session-files.ts'
import { createSpools, type Spools } from './store/spools.ts'
import { createEviction, unevictable } from './upkeep/eviction.ts'
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

/** @param holding of the data directory */
export async function createApp(config: Config, holding: Holding, log: Log): Promise<App> {
  const access = await accessOf(config, log)
  for (const sentence of config.idle) log.warn(sentence)
  const kept = await openKept(config, holding, log)
  const hosted = await openHosted(config, kept, log)
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
    openHosted: (name) => hosted.repository(name),
  })
  const rulesOf = createRangeRules(config)
  const isCovered = (name: string) => config.hosted.some((pattern) => matches(pattern, name))
  const { offline, maxSize } = config
  const upkeep = startUpkeep({ ...kept, hosted, offline, maxSize, isCovered, log })
  let draining = false

  const registry: RegistryOptions = {
    resolve: (path, ns) => {
      const found = origins.resolve(path, ns)
      return { ...found, rules: rulesOf(found.key) }
    },
    ranges: createRanges(),
    names: config.names,
    log,
    ready: () => (draining ? 'The daemon is stopping.' : undefined),
  }
  return {
    public: createRegistry({ ...registry, ...(access ? { gate: access.gate } : {}) }),
    operator: createRegistry(registry),
    drain() {
      draining = true
    },
    async close() {
      await Promise.all([hosted, ...proxied.values()].map((one) => one.close()))
      await upkeep.stop()
      await Promise.all(upstreams.map(({ upstream }) => upstream.close()))
      await access?.close()
      await kept.catalog.close()
    },
  }
}

/** @throws ConfigError where the users' file cannot be used */
async function accessOf({ access }: Config, log: Log): Promise<Access | undefined> {
  if (!access) return undefined
  try {
    const exposure = (stats: { uid: number; mode: number }) => {
      const reason = exposureOf(access.htpasswd, stats, process.env)
      return reason && `access.htpasswd ${reason}`
    }
    const opened = await openAccess({ ...access, exposure, warn: (message, fields) => log.warn(message, fields) })
    for (const sentence of idleUsers(access, opened.users())) log.warn(sentence)
    return opened
  } catch (error) {
    throw error instanceof HtpasswdError ? new ConfigError(error.sentences) : error
  }
}

/** Everything on disk, with its room counted. */
async function openKept(config: Config, { directory, wasAbandoned }: Holding, log: Log) {
  const onCorrupt = (key: string) => {
    log.warn('a record of the catalog is corrupt and counts as absent', { key })
    if (isFromJournal(key)) void catalog.doubt().catch(() => {})
  }
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
  const journal = await openJournal(join(directory, 'journal'))
  const catalog: Catalog = createCatalog({
    store,
    files,
    sources,
    journal,
    count,
    spool,
    wasAbandoned,
    warn: warnTo(log),
  })
  const catalogIsNew = state !== 'opened' || dropped > 0
  await restoreCatalog(catalog, catalogIsNew, log)
  const evict = createEviction({ catalog, allowed: !config.offline, log: (message, facts) => log.info(message, facts) })
  await countKept(catalog, spools, room)
  const sessions = createSessionFiles(join(directory, 'spool'))
  return { catalog, files, sources, spools, sessions, room, catalogIsNew }
}

/** What cannot be fetched again is there before anybody can ask for it. */
async function restoreCatalog(catalog: Catalog, isDoubtful: boolean, log: Log): Promise<void> {
  const { how, entries, damaged } = await catalog.restore(isDoubtful)
  if (how === 'rebuilt') log.warn('hosted repositories were rebuilt from the journal', { entries })
  if (how === 'rewritten') log.error('the journal was lost; it is written anew from the catalog')
  if (damaged > 0) log.error('lines of the journal are damaged; what they said may be lost', { lines: damaged })
}

/** What the credentials of an upstream opened can be mounted by those only who may read it there. */
function openHosted(config: Config, kept: Awaited<ReturnType<typeof openKept>>, log: Log): Promise<Hosted> {
  const visible = new Map(config.upstreams.map(({ name, shared }) => [name, visibleLinks({ ...config, shared })]))
  return createHosted({
    ...kept,
    maxSize: config.maxSize,
    unevictable: async () => (config.offline ? kept.room.used() : unevictable(kept.catalog)),
    immutableTags: config.immutableTags,
    isVisible: (link) => visible.get(link.repository.origin)?.(link) ?? true,
    warn: warnTo(log),
  })
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
