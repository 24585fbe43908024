import type { Dialect } from './dialect.ts'
import { inDialectOf } from './dialects.ts'
import type { Profile } from './profile.ts'

/**
 * The tag that a client of this profile takes for the range, spelled as it is listed; `undefined` when nothing matches. Of tags that are equal as
 * versions (`1.0.0_a` and `1.0.0_b`) the first listed: clients that sort do the same up to 12 versions, and beyond that in no order of their own.
 * @throws InvalidRangeError
 */
export function pick(range: string, tags: readonly string[], profile: Profile): string | undefined {
  return inDialectOf(profile, (dialect) => pickIn(dialect, range, tags))
}

function pickIn<Version>(dialect: Dialect<Version>, range: string, tags: readonly string[]): string | undefined {
  const settled = dialect.settle?.(range, tags)
  if (settled) return settled.tag
  const best = highest(dialect, range, tags)
  return best === undefined ? undefined : askable(dialect, best, tags)
}

/** The highest match, in one pass: most tags are below the best so far, and that is cheaper to see than whether they match. */
export function highest<Version>(
  dialect: Dialect<Version>,
  range: string,
  tags: readonly string[],
): string | undefined {
  const constraint = dialect.parse(range)
  let best: { tag: string; version: Version } | undefined
  for (const tag of tags) {
    const version = dialect.read(tag)
    if (version === undefined) continue
    if (best && dialect.compare(version, best.version) <= 0) continue
    if (constraint.has(version)) best = { tag, version }
  }
  return best?.tag
}

/** The tag that the client asks for when it has chosen this one; `undefined` when no such tag is listed. */
export function askable<Version>(dialect: Dialect<Version>, tag: string, tags: readonly string[]): string | undefined {
  const asked = dialect.asks?.(tag) ?? tag
  return asked === tag || tags.includes(asked) ? asked : undefined
}
