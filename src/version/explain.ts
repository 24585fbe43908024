import type { Constraint, Dialect } from './dialect.ts'
import { inDialectOf } from './dialects.ts'
import { askable, highest } from './pick.ts'
import type { Profile } from './profile.ts'

/** A tag that was not taken, and why, as the end of a sentence that begins with the tag: `is below 1.2.0`. */
export interface Loser {
  readonly tag: string
  readonly reason: string
}

/** Every tag but the one that `pick` takes, in the order of the list. @throws InvalidRangeError */
export function explain(range: string, tags: readonly string[], profile: Profile): Loser[] {
  return inDialectOf(profile, (dialect) => explainIn(dialect, range, tags))
}

function explainIn<Version>(dialect: Dialect<Version>, range: string, tags: readonly string[]): Loser[] {
  const settled = dialect.settle?.(range, tags)
  if (settled) return losers(tags, settled.tag, (tag) => settled.why(tag))
  const constraint = dialect.parse(range)
  const best = highest(dialect, range, tags)
  const taken = best === undefined ? undefined : askable(dialect, best, tags)
  return losers(tags, taken, (tag) => {
    if (tag === best)
      return `matches, but the client then asks for ${dialect.asks?.(tag) ?? tag}${taken === undefined ? ', which is not listed' : ''}`
    return why(dialect, constraint, tag, best)
  })
}

function losers(tags: readonly string[], taken: string | undefined, reason: (tag: string) => string): Loser[] {
  return tags.filter((tag) => tag !== taken).map((tag) => ({ tag, reason: reason(tag) }))
}

function why<Version>(
  dialect: Dialect<Version>,
  constraint: Constraint<Version>,
  tag: string,
  best: string | undefined,
): string {
  const version = dialect.read(tag)
  if (version === undefined) {
    const defect = dialect.whyUnread?.(tag)
    return defect === undefined ? 'is no version' : `is no version: ${defect}`
  }
  if (!constraint.has(version)) return constraint.why(version)
  const bestVersion = best === undefined ? undefined : dialect.read(best)
  if (bestVersion === undefined) return 'matches'
  if (dialect.compare(version, bestVersion) < 0) return `matches, but ${best} is higher`
  return `matches, but ${best} is equal to it and listed first`
}
