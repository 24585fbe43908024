import type { Aim, Dialect } from './dialect.ts'
import { inDialectOf } from './dialects.ts'
import type { Profile } from './profile.ts'

/**
 * For a range that matched nothing: the tags that come nearest to what it asks for, best first. `^3.0` where there is only 2.x gives the newest
 * of 2.x.
 * @throws InvalidRangeError
 */
export function nearest(range: string, tags: readonly string[], profile: Profile, count = 5): string[] {
  return inDialectOf(profile, (dialect) => nearestIn(dialect, range, tags, count))
}

interface Candidate<Version> {
  readonly tag: string
  readonly version: Version
}

function nearestIn<Version>(
  dialect: Dialect<Version>,
  range: string,
  tags: readonly string[],
  count: number,
): string[] {
  const candidates = tags
    .flatMap((tag): Candidate<Version>[] => {
      const version = dialect.read(tag)
      return version === undefined ? [] : [{ tag, version }]
    })
    .toSorted((a, b) => dialect.compare(b.version, a.version))
  // Without a version in the list a client need not have looked at the range, which may be one that cannot be read.
  if (candidates.length === 0) return []
  const { aim } = dialect.parse(range)
  if (aim === undefined) return candidates.slice(0, count).map(({ tag }) => tag)
  const kinds = Map.groupBy(candidates, ({ version }) => aim.kinship(version))
  const nearestKindFirst = [...kinds].toSorted(([one], [other]) => other - one)
  const ordered = nearestKindFirst.flatMap(([, kind]) => byDistance(kind, aim, dialect))
  return ordered.slice(0, count).map(({ tag }) => tag)
}

/** Those of the kind that the range asks for come first, and of each kind those between its bounds, then both sides in turns. */
function byDistance<Version>(
  highestFirst: readonly Candidate<Version>[],
  aim: Aim<Version>,
  dialect: Dialect<Version>,
): Candidate<Version>[] {
  const named = aim.at.toSorted((a, b) => dialect.compare(a, b))
  const [lowest] = named
  const highest = named.at(-1)
  if (lowest === undefined || highest === undefined) return [...highestFirst]
  const isBelow = ({ version }: Candidate<Version>) => dialect.compare(version, lowest) < 0
  const isAbove = ({ version }: Candidate<Version>) => dialect.compare(version, highest) > 0
  const below = highestFirst.filter(isBelow)
  const above = highestFirst.filter(isAbove).toReversed()
  const between = highestFirst.filter((candidate) => !isBelow(candidate) && !isAbove(candidate))
  return [...between, ...inTurns(below, above)]
}

function inTurns<Item>(some: readonly Item[], others: readonly Item[]): Item[] {
  const length = Math.max(some.length, others.length)
  return Array.from({ length }, (_, index) => [
    ...some.slice(index, index + 1),
    ...others.slice(index, index + 1),
  ]).flat()
}
