/**
 * Which repository a request means: a closed world, decided before any I/O. Nothing that the configuration does not name comes out.
 * (docs/architecture.md, "Naming an origin")
 */
import { hostedOrigin } from '../catalog/records.ts'
import { OciError } from '../oci/errors.ts'
import { looksLikeHost, parseHost, portAlias } from '../oci/host.ts'
import { parseName, type RepositoryName } from '../oci/name.ts'
import { matches, type Pattern } from '../oci/pattern.ts'
import type { Repository } from './repository.ts'

export interface OriginUpstream {
  /** The host as clients know it; `host-port` means it too. */
  name: string
  alias?: string
  /** Other hosts that mean it. */
  otherNames: readonly string[]
}

export interface OriginsOptions<U extends OriginUpstream> {
  upstreams: readonly U[]
  /** The `name` of one of them. */
  defaultUpstream: string
  hosted: readonly Pattern[]
  /** What clients may call us besides localhost, 127.0.0.1 and [::1]; hosts, some with a port. */
  names: readonly string[]
  /** Where we listen; absent on a unix socket. */
  port?: number
  openProxied: (upstream: U, name: RepositoryName) => Repository
  openHosted: (name: RepositoryName) => Repository
}

interface Resolved {
  repository: Repository
  /** One for all spellings: the upstream's host and the name that it uses itself, or `hosted/<name>`. */
  key: string
  name: RepositoryName
  /** The host of `?ns=` as the client wrote it, where it decided: for the header OCI-Namespace. */
  namespace?: string
  proxied: boolean
}

export interface Origins {
  /**
   * @param path the name as the client spells it, with the components of a path prefix before it
   * @param ns the host in `?ns=`
   * @throws OciError NAME_INVALID (400) or NAME_UNKNOWN (404), before anybody is asked
   */
  resolve(path: string, ns: string | undefined): Resolved
}

const dockerHub = 'docker.io'

export function createOrigins<U extends OriginUpstream>(options: OriginsOptions<U>): Origins {
  const { hosted, openProxied, openHosted } = options
  const byHost = new Map(options.upstreams.flatMap((upstream) => hostsOf(upstream).map((host) => [host, upstream])))
  const byComponent = new Map(options.upstreams.flatMap((one) => aliasesOf(one).map((alias) => [alias, one])))
  const usual = options.upstreams.find(({ name }) => name === options.defaultUpstream)
  const ownHosts = hostsOfOurs(options.names, options.port)

  /** The upstream that a first path component names. */
  function named(component: string): U | undefined {
    return byHost.get(parseHost(component) ?? '') ?? byComponent.get(component)
  }

  function proxied(upstream: U, name: string, namespace?: string): Resolved {
    const own = nameAt(upstream, name)
    const repository = openProxied(upstream, own)
    const key = `${upstream.name}/${own}`
    return { repository, key, name: own, ...(namespace === undefined ? {} : { namespace }), proxied: true }
  }

  function resolveNamespace(path: string, namespace: string, upstream: U): Resolved {
    const { first, rest } = splitFirst(path)
    const prefix = named(first)
    if (!prefix) return proxied(upstream, path, namespace)
    if (prefix === upstream) return proxied(upstream, rest, namespace)
    throw invalid(`The query asks for ${upstream.name} (ns=), the path for ${prefix.name}: use one of them.`)
  }

  function resolvePath(path: string): Resolved {
    const { first, rest } = splitFirst(path)
    const upstream = named(first)
    if (upstream) return proxied(upstream, rest)
    refuseUnknownHost(first)
    const name = validName(path)
    if (hosted.some((pattern) => matches(pattern, name))) {
      return { repository: openHosted(name), key: `${hostedOrigin}/${name}`, name, proxied: false }
    }
    if (!usual) throw unknown(`${name} names no upstream, and no default upstream is configured.`)
    return proxied(usual, name)
  }

  return {
    resolve(path, ns) {
      if (ns === undefined) return resolvePath(path)
      const host = parseHost(ns)
      const upstream = host === undefined ? undefined : byHost.get(host)
      if (upstream) return resolveNamespace(path, ns, upstream)
      if (host !== undefined && ownHosts.has(host)) return resolvePath(path)
      throw unknown(host === undefined ? 'The query asks for an upstream (ns=) that is no host.' : notConfigured(host))
    },
  }
}

/** @throws OciError where the upstream can have no repository of that name */
function nameAt(upstream: OriginUpstream, text: string): RepositoryName {
  if (text === '') throw invalid(`The path names the upstream ${upstream.name}, but no repository there.`)
  if (upstream.name !== dockerHub) return validName(text)
  refuseUnknownHost(splitFirst(text).first)
  return validName(text.includes('/') ? text : `library/${text}`)
}

/** A host that nobody configured must not be asked for at Docker Hub as if it were an organization. */
function refuseUnknownHost(component: string): void {
  if (!looksLikeHost(component)) return
  const host = parseHost(component) ?? parseName(component)
  if (host !== undefined) throw unknown(notConfigured(host))
}

function validName(text: string): RepositoryName {
  const name = parseName(text)
  if (name) return name
  throw invalid(
    'The repository name is not one: lower-case letters, digits and single separators (. _ __ -), at most 255 characters.',
  )
}

function splitFirst(path: string): { first: string; rest: string } {
  const slash = path.indexOf('/')
  return slash < 0 ? { first: path, rest: '' } : { first: path.slice(0, slash), rest: path.slice(slash + 1) }
}

function hostsOf({ name, otherNames }: OriginUpstream): string[] {
  return [name, ...otherNames]
}

function aliasesOf({ name, alias }: OriginUpstream): string[] {
  return [portAlias(name), alias].filter((component) => component !== undefined)
}

/** A name without a port is ours at the port where we listen, and at 443, where something may stand in front of us. */
function hostsOfOurs(names: readonly string[], port: number | undefined): Set<string> {
  const at = (name: string) => (port === undefined ? [] : [`${name}:${port}`])
  const local = ['localhost', '127.0.0.1', '[::1]'].flatMap(at)
  const configured = names.flatMap((name) => (/:\d+$/.test(name) ? [name] : [name, ...at(name)]))
  return new Set([...local, ...configured].map((name) => parseHost(name)).filter((host) => host !== undefined))
}

function notConfigured(host: string): string {
  return `${host} is not an upstream of this registry: nothing is asked of hosts that its configuration does not name under "upstreams".`
}

function invalid(detail: string): OciError {
  return new OciError('NAME_INVALID', detail)
}

function unknown(detail: string): OciError {
  return new OciError('NAME_UNKNOWN', detail)
}
