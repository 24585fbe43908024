/** Patterns over `<upstream host>/<name>` and `hosted/<name>`: how the configuration names repositories. */
import { parseHost } from '../oci/host.ts'
import { parseOriginPattern, type Pattern } from '../oci/pattern.ts'
import { hint, type KeyPath, type Report } from './problem.ts'

interface NamedUpstream {
  name: string
  alias?: string
  otherNames: readonly string[]
}

/** Reads one pattern, other names of an upstream made its own; what it is not is reported. */
export type ReadOriginPattern = (text: string, at: KeyPath, report: Report) => Pattern | undefined

export function originPatterns(upstreams: readonly NamedUpstream[]): ReadOriginPattern {
  const origins = originsOf(upstreams)
  return (text, at, report) => {
    const pattern = parseOriginPattern(canonical(text, origins))
    if (pattern === undefined) report(at, whyNone(text, origins))
    return pattern !== undefined && isKnown(pattern, origins, at, report) ? pattern : undefined
  }
}

function whyNone(text: string, origins: Map<string, string>): string {
  const lower = canonical(text.toLowerCase(), origins)
  return parseOriginPattern(lower) === undefined ? wanted : `must be in lower case, as all names are: ${lower}`
}

const wanted =
  'must be <upstream host>/<name> or hosted/<name>, in which * stands for one component and ** for one or more'

/** What a first component may be, and the origin that it means. */
function originsOf(upstreams: readonly NamedUpstream[]): Map<string, string> {
  const named = upstreams.flatMap(({ name, alias, otherNames }) =>
    [name, ...otherNames, ...(alias === undefined ? [] : [alias])].map((word) => [word, name] as const),
  )
  return new Map([...named, ['hosted', 'hosted']])
}

function canonical(text: string, origins: Map<string, string>): string {
  const [first = '', ...rest] = text.split('/')
  const origin = parseHost(first) ?? first
  return [origins.get(origin) ?? origin, ...rest].join('/')
}

function isKnown(pattern: Pattern, origins: Map<string, string>, at: KeyPath, report: Report): boolean {
  const [first = ''] = pattern.split('/')
  if (first === '*' || first === '**' || origins.has(first)) return true
  report(at, `${first} is neither hosted nor a known upstream${hint(first, [...origins.keys()])}`)
  return false
}
