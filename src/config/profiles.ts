/** Which profile reads the ranges of which repositories: patterns over `<upstream host>/<name>` and `hosted/<name>`. */
import type { Pattern } from '../oci/pattern.ts'
import type { Profile } from '../version/profile.ts'
import type { ReadOriginPattern } from './origin-patterns.ts'
import type { Report } from './problem.ts'

export interface ProfileRule {
  pattern: Pattern
  profile: Profile
}

/**
 * The most specific first: compared from the left, a component that is spelled out goes before `*`, and `*` before `**`. A map has no
 * order, so that none decides.
 */
export function readProfiles(
  settings: Readonly<Record<string, Profile>>,
  readPattern: ReadOriginPattern,
  report: Report,
): ProfileRule[] {
  const rules = Object.entries(settings).flatMap(([text, profile]) => {
    const pattern = readPattern(text, ['profiles', text], report)
    return pattern === undefined ? [] : [{ pattern, profile }]
  })
  for (const [index, { pattern }] of rules.entries()) {
    if (rules.findIndex((rule) => rule.pattern === pattern) < index)
      report(['profiles'], `two patterns mean the same repositories: ${pattern}`)
  }
  return rules.toSorted((one, other) => compare(one.pattern, other.pattern))
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
