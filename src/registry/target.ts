/** What a request asks for: its raw target, parsed once; nothing after this file sees a URL. */
import { OciError } from '../oci/errors.ts'
import { looksLikeHost, parseHost } from '../oci/host.ts'
import { parseName } from '../oci/name.ts'

const longestTarget = 4096
const longestReference = 512

/** What all targets of one repository have. */
export interface Named {
  /** The repository as the client spells it, a path prefix in front: what `origins` resolves. */
  name: string
  /** `?ns=`: the host that the client means. */
  ns: string | undefined
  /** The path as it was sent, for links to a next page. */
  path: string
  /** The path of the repository, which the paths of what is in it start with. */
  base: string
  query: URLSearchParams
}

export type Target =
  | { kind: 'base' | 'live' | 'ready' | 'unknown' | 'registry-extensions' }
  | ({ kind: 'manifest'; reference: string } & Named)
  | ({ kind: 'blob'; digest: string } & Named)
  | ({ kind: 'referrers'; digest: string } & Named)
  | ({ kind: 'tags' } & Named)
  | ({ kind: 'versions' } & Named)
  | ({ kind: 'extensions' } & Named)
  | ({ kind: 'uploads' } & Named)
  | ({ kind: 'upload'; id: string } & Named)

export type RepositoryTarget = Extract<Target, Named>

/** The parts of a raw request target. `authority` is there for the absolute form alone (RFC 9112 section 3.2.2). */
export interface RawTarget {
  authority: string | undefined
  path: string
  query: string
}

/** @throws OciError: status 414 for a target over 4 KiB, 400 for one that is neither a path nor an http URL */
export function splitTarget(raw: string): RawTarget {
  if (raw.length > longestTarget) throw refusal('NAME_INVALID', `The URL is longer than ${longestTarget} bytes.`, 414)
  const absolute = /^https?:\/\/([^/?#]*)/i.exec(raw)
  const rest = absolute ? raw.slice(absolute[0].length) : raw
  if (!absolute && !rest.startsWith('/')) throw refusal('UNSUPPORTED', 'The request target is no path.')
  const mark = rest.indexOf('?')
  const path = mark < 0 ? rest : rest.slice(0, mark)
  return { authority: absolute?.[1], path: path === '' ? '/' : path, query: mark < 0 ? '' : rest.slice(mark + 1) }
}

/**
 * `/v2/<name>/...`, or `/<prefix>/v2/<name>/...` where the prefix goes before the name (containerd and dockerd send mirrors' paths so).
 * Routes are read from the right: a name may have components called manifests, blobs, tags or referrers.
 * @throws OciError 400: dot segments, bad escapes, names outside the grammar
 */
export function parseTarget(target: RawTarget): Target {
  const segments = decodePath(target.path).split('/').slice(1)
  if (segments.some((segment) => segment === '.' || segment === '..'))
    throw refusal('NAME_INVALID', 'The path has dot segments.')
  if (segments.length === 1 && segments[0] === 'livez') return { kind: 'live' }
  if (segments.length === 1 && segments[0] === 'readyz') return { kind: 'ready' }
  const version = segments.indexOf('v2')
  if (version < 0) return { kind: 'unknown' }
  const rest = segments.slice(version + 1)
  if (rest.length === 0 || (rest.length === 1 && rest[0] === '')) return { kind: 'base' }
  if (rest.join('/') === '_oci/ext/discover') return { kind: 'registry-extensions' }
  const route = readRoute(rest)
  if (!route) return { kind: 'unknown' }
  const components = rest.slice(0, route.nameLength)
  const name = checkName([...segments.slice(0, version), ...components])
  const base = ['', ...segments.slice(0, version + 1), ...components].join('/')
  const query = new URLSearchParams(target.query)
  return { ...route.ask, name, ns: readNamespace(query), path: target.path, base, query }
}

type Ask =
  | { kind: 'manifest'; reference: string }
  | { kind: 'blob' | 'referrers'; digest: string }
  | { kind: 'upload'; id: string }
  | { kind: 'tags' | 'versions' | 'extensions' | 'uploads' }

/** Below a name (distribution spec, extensions/README.md): no name has a component that starts with an underscore. */
const extensionRoutes = new Map<string, 'versions' | 'extensions'>([
  ['_entrepot/versions/resolve', 'versions'],
  ['_oci/ext/discover', 'extensions'],
])

function readRoute(rest: string[]): { ask: Ask; nameLength: number } | undefined {
  const [third, second = '', last = ''] = [rest.at(-3), rest.at(-2), rest.at(-1)]
  if (third === 'blobs' && second === 'uploads') return { ask: uploadAsk(last), nameLength: rest.length - 3 }
  const extension = extensionRoutes.get(rest.slice(-3).join('/'))
  if (extension !== undefined && rest.length > 3) return { ask: { kind: extension }, nameLength: rest.length - 3 }
  const nameLength = rest.length - 2
  if (nameLength < 1) return undefined
  if (second === 'tags' && last === 'list') return { ask: { kind: 'tags' }, nameLength }
  if (second === 'blobs' && last === 'uploads') return { ask: { kind: 'uploads' }, nameLength }
  if (second === 'blobs') return { ask: { kind: 'blob', digest: checkReference(last) }, nameLength }
  if (second === 'referrers') return { ask: { kind: 'referrers', digest: checkReference(last) }, nameLength }
  if (second === 'manifests') return { ask: { kind: 'manifest', reference: checkReference(last) }, nameLength }
  return undefined
}

function uploadAsk(id: string): Ask {
  return id === '' ? { kind: 'uploads' } : { kind: 'upload', id: checkReference(id) }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch (cause) {
    throw new OciError('NAME_INVALID', 'The path has a bad percent escape.', { cause })
  }
}

/** Grammar for control characters and length only: whether it is a tag, a digest or a version range is for the handler to say. */
function checkReference(text: string): string {
  if (text.length > longestReference)
    throw refusal('TAG_INVALID', `A reference is longer than ${longestReference} bytes.`)
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) throw refusal('TAG_INVALID', 'A reference has control characters.')
  return text
}

/**
 * The first component may be a host, with a port and in any case: only `origins` can say which it is, or that it knows none of that name.
 */
function checkName(components: string[]): string {
  const name = components.join('/')
  if (parseName(name)) return name
  const [first = '', ...others] = components
  if (looksLikeHost(first) && parseHost(first) && parseName(others.join('/'))) return name
  throw refusal(
    'NAME_INVALID',
    'The repository name is not one that the distribution spec allows: lower-case letters, digits, and single . _ - between them, at most 255 in all.',
  )
}

function readNamespace(query: URLSearchParams): string | undefined {
  const hosts = new Set(query.getAll('ns').filter((host) => host !== ''))
  if (hosts.size > 1) throw refusal('NAME_INVALID', 'The query names more than one upstream (ns=).')
  return [...hosts][0]
}

function refusal(code: 'NAME_INVALID' | 'TAG_INVALID' | 'UNSUPPORTED', detail: string, status = 400): OciError {
  return new OciError(code, detail, { status })
}
