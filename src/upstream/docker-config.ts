/** Credentials that the user's own tools keep: docker (and helm) in config.json, podman in auth.json, both in helpers. */
import { open, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { UpstreamError } from '../oci/errors.ts'
import type { RepositoryName } from '../oci/name.ts'
import { type AuthFile, findEntry, normalKey, parseAuthFile } from './auth-file.ts'
import type { Credential } from './credential.ts'
import { createCredentialHelpers, type CredentialHelpers } from './credential-helper.ts'

/**
 * What the user's tools know for a repository of an upstream; `undefined` = nothing.
 * @throws UpstreamError `unreachable` where that could not be found out
 */
export type DockerCredentials = (upstream: string, repository: RepositoryName) => Promise<Credential | undefined>

export interface DockerConfigOptions {
  /** `auto`: where docker and podman look; `off`; or the path of one file in docker's format. */
  dockerConfig: string
  warn: (message: string) => void
  /** Environment of the files' places and of the helpers; default: ours. */
  env?: NodeJS.ProcessEnv
  home?: string
  helpers?: CredentialHelpers
  /** ms between two looks at whether a file changed; default 1,000. */
  lookEvery?: number
  /** Monotonic milliseconds. */
  now?: () => number
}

/** One set of files for all upstreams. A file is read again when it changes. Of several files the first with a credential counts. */
export function createDockerCredentials(options: DockerConfigOptions): DockerCredentials {
  const { env = process.env, now = () => performance.now() } = options
  const helpers = options.helpers ?? createCredentialHelpers({ env, now })
  const files = placesOf(options.dockerConfig, env, options.home ?? homedir()).map((place) => ({
    source: place.source,
    read: createReader(place, { lookEvery: options.lookEvery ?? 1_000, now, warn: options.warn }),
  }))
  return async (upstream, repository) => {
    try {
      for (const { source, read } of files) {
        const file = await read()
        const found = file && (await findIn(file, source, helpers, upstream, repository))
        if (found) return found
      }
      return undefined
    } catch (error) {
      const remedy = 'mend that, or configure `username` and `password`, or set `dockerConfig: off`'
      const detail = `the credential for ${upstream} cannot be looked up: ${messageOf(error)}; ${remedy}`
      throw new UpstreamError(upstream, 'unreachable', 'UNAVAILABLE', detail, { cause: error })
    }
  }
}

/** Helper of the host, then helper for all, then the file itself. */
async function findIn(
  file: AuthFile,
  source: string,
  helpers: CredentialHelpers,
  upstream: string,
  repository: RepositoryName,
): Promise<Credential | undefined> {
  const host = normalKey(upstream)
  const suffix = file.helpers.get(host) ?? file.store
  const server = host === 'docker.io' ? 'https://index.docker.io/v1/' : host
  const held = suffix && (await helpers.get(suffix, server))
  return held || findEntry(file, source, upstream, repository)
}

function placesOf(dockerConfig: string, env: NodeJS.ProcessEnv, home: string): Place[] {
  if (dockerConfig === 'off') return []
  if (dockerConfig !== 'auto') return [{ path: dockerConfig, source: 'docker', named: true }]
  const run = env['XDG_RUNTIME_DIR']
  const runtime = env['REGISTRY_AUTH_FILE'] || (run && join(run, 'containers', 'auth.json'))
  const lasting = join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'containers', 'auth.json')
  const podman = runtime ? [runtime, lasting] : [lasting]
  return [
    { path: join(env['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json'), source: 'docker', named: false },
    ...podman.map((path): Place => ({ path, source: 'podman', named: false })),
  ]
}

interface Place {
  path: string
  source: 'docker' | 'podman'
  /** Named by the operator, who hears when it is missing or not ours to read. */
  named: boolean
}

interface ReaderOptions {
  lookEvery: number
  now: () => number
  warn: (message: string) => void
}

const longestFile = 1024 * 1024

/** What the file says now; `undefined` = it is not there. Concurrent calls share one look. */
function createReader(place: Place, { lookEvery, now, warn }: ReaderOptions): () => Promise<AuthFile | undefined> {
  let lookedAt = Number.NEGATIVE_INFINITY
  let latest: Promise<Version | undefined> = Promise.resolve(undefined)
  const said = new Set<string>()
  const warnOnce = (message: string) => {
    if (!said.has(message)) warn(message)
    said.add(message)
  }
  return async () => {
    if (now() - lookedAt >= lookEvery) {
      lookedAt = now()
      const before = latest
      latest = before.catch(() => undefined).then((version) => look(place, version, warnOnce))
    }
    return (await latest)?.file
  }
}

interface Version {
  /** Changes whenever the file does. */
  mark: string
  file: AuthFile
}

async function look(
  place: Place,
  before: Version | undefined,
  warn: (message: string) => void,
): Promise<Version | undefined> {
  try {
    const mark = await markOf(place.path)
    return mark === before?.mark ? before : await load(place.path, mark, warn)
  } catch (error) {
    const code = codeOf(error)
    const absent = code === 'ENOENT' || code === 'ENOTDIR'
    if (absent && !place.named) return undefined
    warn(`${place.path}: ${code ?? messageOf(error)}`)
    // The unit's sandbox hides home directories: a place that we only guess at and may not see is no failure.
    if (absent || (!place.named && (code === 'EACCES' || code === 'EPERM'))) return undefined
    // The path is for the operator; this reaches clients.
    throw new Error(`the ${place.source} credential file ${code ? `cannot be read (${code})` : messageOf(error)}`, {
      cause: error,
    })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

async function markOf(path: string): Promise<string> {
  const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
  return [ino, size, mtimeNs, ctimeNs].join(' ')
}

async function load(path: string, mark: string, warn: (message: string) => void): Promise<Version> {
  const handle = await open(path, 'r')
  try {
    const { size, mode } = await handle.stat()
    if (size > longestFile) throw new Error(`is larger than ${longestFile} bytes`)
    if ((mode & 0o077) !== 0) warn(`${path} holds credentials and others may read it: chmod 600 ${path}`)
    const file = parseAuthFile(await handle.readFile())
    if (!file) throw new Error('is not valid JSON')
    return { mark, file }
  } finally {
    await handle.close()
  }
}
