import type { Dialect } from './dialect.ts'
import { inDialectOf } from './dialects.ts'
import { askable } from './pick.ts'
import type { Profile } from './profile.ts'

/**
 * All tags that are good for the range, best first: the first is the one that `pick` takes. Empty when that takes none, even if some match: Argo CD
 * gives up on a whole list, and does not try the second best.
 * @throws InvalidRangeError
 */
export function rank(range: string, tags: readonly string[], profile: Profile): string[] {
  return inDialectOf(profile, (dialect) => rankIn(dialect, range, tags))
}

function rankIn<Version>(dialect: Dialect<Version>, range: string, tags: readonly string[]): string[] {
  const settled = dialect.settle?.(range, tags)
  if (settled) return settled.tag === undefined ? [] : [settled.tag]
  const ranked = matches(dialect, range, tags)
  const [best] = ranked
  if (best === undefined || askable(dialect, best, tags) === undefined) return []
  return [...new Set(ranked.flatMap((tag) => askable(dialect, tag, tags) ?? []))]
}

/** Equal ones stay in the order of the list. */
function matches<Version>(dialect: Dialect<Version>, range: string, tags: readonly string[]): string[] {
  const constraint = dialect.parse(range)
  const found: { tag: string; version: Version }[] = []
  for (const tag of tags) {
    const version = dialect.read(tag)
    if (version !== undefined && constraint.has(version)) found.push({ tag, version })
  }
  return found.toSorted((a, b) => dialect.compare(b.version, a.version)).map(({ tag }) => tag)
}
