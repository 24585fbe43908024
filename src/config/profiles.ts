/** Which profile reads the ranges of which repositories: patterns over `<upstream host>/<name>` and `hosted/<name>`. */
import { parseHost } from '../oci/host.ts'
import { parseOriginPattern, type Pattern } from '../oci/pattern.ts'
import type { Profile } from '../version/profile.ts'
import { hint, type KeyPath, type Report } from './problem.ts'

export interface ProfileRule {
  pattern: Pattern
  profile: Profile
}

interface NamedUpstream {
  name: string
  alias?: string
  otherNames: readonly string[]
}

/**
 * The most specific first: compared from the left, a component that is spelled out goes before `*`, and `*` before `**`. A map has no
 * order, so that none decides.
 */
export function readProfiles(
  settings: Readonly<Record<string, Profile>>,
  upstreams: readonly NamedUpstream[],
  report: Report,
): ProfileRule[] {
  const origins = originsOf(upstreams)
  const rules = Object.entries(settings).flatMap(([text, profile]) => {
    const at = ['profiles', text]
    const pattern = parseOriginPattern(canonical(text, origins))
    if (pattern === undefined) report(at, wanted)
    else if (isKnown(pattern, origins, at, report)) return [{ pattern, profile }]
    return []
  })
  for (const [index, { pattern }] of rules.entries()) {
    if (rules.findIndex((rule) => rule.pattern === pattern) < index)
      report(['profiles'], `two patterns mean the same repositories: ${pattern}`)
  }
  return rules.toSorted((one, other) => compare(one.pattern, other.pattern))
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

function compare(one: string, other: string): number {
  const [ours, theirs] = [one.split('/'), other.split('/')]
  for (const [index, component] of ours.entries()) {
    const difference = rank(component) - rank(theirs[index] ?? '**')
    if (difference !== 0) return difference
  }
  return one < other ? -1 : Number(one > other)
}

function rank(component: string): number {
  return ['*', '**'].indexOf(component) + 1
}
