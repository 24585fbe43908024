/** The configuration of one start: the file, under the variables, under the flags. Whole and checked, or a ConfigError. */
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import type { Pattern } from '../oci/pattern.ts'
import { type AccessConfig, readAccess } from './access.ts'
import { type ConfigFile, readConfigFile } from './file.ts'
import { idleSettings } from './idle.ts'
import { attempt, ConfigError, hint, type KeyPath, type Problem, problemLine, type Report } from './problem.ts'
import { originPatterns } from './origin-patterns.ts'
import { type ProfileRule, readProfiles } from './profiles.ts'
import type { Settings } from './schema.ts'
import { exposureOf, type SecretPlaces, type SecretSource } from './secret.ts'
import { type CheckedSettings, checkSettings, type Flags, refuseUnknownVariables } from './settings.ts'
import { readTlsFiles, type TlsFiles } from './tls.ts'
import { checkNames, mergeUpstreams, type UpstreamConfig } from './upstreams.ts'
import { isLoopback, type Listen, type TagPattern, tooLongForSocket } from './values.ts'

/** Plain data; durations in ms, sizes in bytes, paths absolute, hosts in lower case without a default port. */
export interface Config {
  listen: Listen
  /** Hosts, some with a port, that clients may call us besides localhost, 127.0.0.1 and [::1]. */
  names: readonly string[]
  data: string
  /** All that may be asked, presets included. */
  upstreams: readonly UpstreamConfig[]
  /** The `name` of one of them. */
  defaultUpstream: string
  hosted: readonly Pattern[]
  immutableTags: readonly TagPattern[]
  /** `auto`, `off`, or the path of a file that exists. */
  dockerConfig: string
  freshFor: number
  listsFreshFor: number
  versionRanges: 'on' | 'off' | 'partials'
  /** The most specific first; the first that matches `<upstream host>/<name>` or `hosted/<name>` decides. */
  profiles: readonly ProfileRule[]
  maxSize: number
  offline: boolean
  /** Absent: whoever can connect may do everything. */
  access?: AccessConfig
  tls?: TlsFiles
  /** Never together with `access`. */
  allowAnonymousLan: boolean
  logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** What stands in the file to no effect, a line each: place, key, reason. */
  idle: readonly string[]
}

export interface LoadOptions {
  flags: Flags
  env: NodeJS.ProcessEnv
  /** The user's home folder; absent where there is none. */
  home: string | undefined
}

/** @throws ConfigError with a line for every problem: place, key, reason */
export function loadConfig({ flags, env, home }: LoadOptions): Config {
  const filePath = findFile(flags, env, home)
  const file = filePath === undefined ? undefined : readConfigFile(filePath)
  const checked = checkSettings(file, env, flags)
  refuseUnknownVariables(env, secretVariables(checked.settings))
  return assemble(checked, { file, env, home })
}

interface Surroundings {
  file: ConfigFile | undefined
  env: NodeJS.ProcessEnv
  home: string | undefined
}

function assemble({ settings, locate, isFromFile }: CheckedSettings, { file, env, home }: Surroundings): Config {
  const problems: Problem[] = []
  const report = (path: KeyPath, reason: string) => void problems.push({ path, reason })
  const base = file ? dirname(file.path) : process.cwd()
  const path = (text: string) => resolve(base, expandHome(text, home))
  // What is typed or set is relative to where that was done.
  const scalarPath = (key: string, text: string) => {
    if (startsAtHome(text) && home === undefined) report([key], noHome)
    return isFromFile(key) ? path(text) : resolve(expandHome(text, home))
  }

  const upstreams = mergeUpstreams(settings, { env, path }, report)
  const readPattern = originPatterns(upstreams)
  const { access, tls, ...rest } = settings
  const config: Omit<Config, 'idle'> = {
    ...rest,
    data: settings.data === undefined ? defaultData(env, home) : scalarPath('data', settings.data),
    dockerConfig: ['auto', 'off'].includes(settings.dockerConfig)
      ? settings.dockerConfig
      : scalarPath('dockerConfig', settings.dockerConfig),
    upstreams,
    profiles: readProfiles(settings.profiles, readPattern, report),
    defaultUpstream: canonical(upstreams, settings.defaultUpstream),
    ...(access ? { access: readAccess(access, { env, path, readPattern, locate, report }) } : {}),
    ...(tls ? { tls: checkedTls(tls, { env, path }, report) } : {}),
    allowAnonymousLan: settings.allowAnonymousLan && !access,
  }
  const line = (problem: Problem) => problemLine(locate(problem.path), problem)
  const hosted = { patterns: config.hosted, areDefaults: locate(['hosted']) === undefined }
  problems.push(...checkNames(upstreams, hosted), ...contradictions(config))
  if (file) problems.push(...exposedSecrets(settings, file, env))
  if (problems.length > 0) throw new ConfigError(problems.map(line))
  return { ...config, idle: idleSettings(config).map(line) }
}

function findFile({ config }: Flags, env: NodeJS.ProcessEnv, home: string | undefined): string | undefined {
  const named = config ?? env.ENTREPOT_CONFIG
  if (named !== undefined && startsAtHome(named) && home === undefined) throw new ConfigError([`${named}: ${noHome}`])
  if (named !== undefined) return resolve(expandHome(named, home))
  const folder = xdgFolder(env.XDG_CONFIG_HOME, home, '.config')
  const usual = folder === undefined ? undefined : join(folder, 'entrepot', 'config.yaml')
  return usual !== undefined && existsSync(usual) ? usual : undefined
}

/** The XDG base directory specification: a relative path in these variables is ignored. */
function xdgFolder(named: string | undefined, home: string | undefined, usual: string): string | undefined {
  if (named !== undefined && isAbsolute(named)) return named
  return home === undefined ? undefined : join(home, usual)
}

function defaultData(env: NodeJS.ProcessEnv, home: string | undefined): string {
  const folder = xdgFolder(env.XDG_DATA_HOME, home, join('.local', 'share'))
  if (folder === undefined) throw new ConfigError(['data: must be given, because there is no home folder: --data PATH'])
  return join(folder, 'entrepot')
}

const noHome = 'starts with ~, and there is no home folder'

function startsAtHome(text: string): boolean {
  return text === '~' || text.startsWith('~/')
}

function expandHome(text: string, home: string | undefined): string {
  return startsAtHome(text) && home !== undefined ? join(home, text.slice(1)) : text
}

function canonical(upstreams: readonly UpstreamConfig[], host: string): string {
  return upstreams.find(({ otherNames }) => otherNames.includes(host))?.name ?? host
}

function contradictions(config: Omit<Config, 'idle'>): Problem[] {
  const { listen, data, upstreams, defaultUpstream, dockerConfig } = config
  const problems: Problem[] = []
  const known = upstreams.map(({ name }) => name)
  if (!known.includes(defaultUpstream)) {
    const reason = `${defaultUpstream} is no known upstream: configure it under upstreams${hint(defaultUpstream, known)}`
    problems.push({ path: ['defaultUpstream'], reason })
  }
  if ('host' in listen && !isLoopback(listen.host) && !config.access && !config.allowAnonymousLan) {
    const reason =
      `${listen.host} is not a loopback address, so that everybody who can connect would be served: ` +
      'listen on 127.0.0.1, say under access who may do what, or say allowAnonymousLan: true if that is meant'
    problems.push({ path: ['listen'], reason })
  }
  if ('path' in listen && config.tls) problems.push({ path: ['tls'], reason: 'has no use on a unix socket' })
  const tooLong = tooLongForSocket(join(data, 'entrepot.sock'))
  if (tooLong) problems.push({ path: ['data'], reason: tooLong })
  if (dockerConfig !== 'auto' && dockerConfig !== 'off' && !existsSync(dockerConfig)) {
    problems.push({ path: ['dockerConfig'], reason: `there is no file ${dockerConfig}` })
  }
  return problems
}

function checkedTls(tls: TlsFiles, { env, path }: SecretPlaces, report: Report): TlsFiles {
  const files = { certificate: path(tls.certificate), key: path(tls.key) }
  attempt(() => readTlsFiles(files, env), ['tls'], report)
  return files
}

/** A file that holds a secret as text is a secret file itself. */
function exposedSecrets(settings: Settings, file: ConfigFile, env: NodeJS.ProcessEnv): Problem[] {
  const exposure = exposureOf(file.path, file.stats, env)
  if (!exposure) return []
  const texts = secretSources(settings).filter(
    ({ source, path }) => typeof source === 'string' && holdsSecret(source, path),
  )
  return texts.map(({ path }) => ({ path, reason: `${exposure}; or move it to { file: PATH }` }))
}

/** The URL of a proxy is a secret only where it carries a password. */
function holdsSecret(source: string, path: KeyPath): boolean {
  return path.at(-1) !== 'proxy' || source.includes('@')
}

function secretVariables(settings: Settings): Set<string> {
  const named = secretSources(settings).map(({ source }) =>
    typeof source === 'object' && 'env' in source ? source.env : '',
  )
  return new Set(named)
}

function secretSources({ upstreams }: Settings): { path: KeyPath; source: SecretSource }[] {
  const places = Object.entries(upstreams).flatMap(([host, own]) => [
    { at: ['upstreams', host], holder: own },
    ...own.credentials.map((entry, index) => ({ at: ['upstreams', host, 'credentials', index], holder: entry })),
  ])
  return places.flatMap(({ at, holder }) => {
    const proxy = 'proxy' in holder ? holder.proxy : undefined
    const sources = Object.entries({ password: holder.password, identityToken: holder.identityToken, proxy })
    return sources.flatMap(([key, source]) => (source === undefined ? [] : [{ path: [...at, key], source }]))
  })
}
