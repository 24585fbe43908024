import { admits, type Comparator, whyRefused } from './comparator.ts'
import type { Constraint } from './dialect.ts'
import { readGroup, type Group } from './group.ts'
import { rewriteHyphenRanges } from './hyphen-ranges.ts'
import { refuse } from './invalid-range.ts'
import type { Masterminds } from './masterminds.ts'
import { compareVersions } from './precedence.ts'
import type { SemanticVersion } from './semantic-version.ts'

/** In bytes, as Masterminds/semver 3.5 has it. Releases before it have no limit; here they have this one too. */
const maxRangeLength = 512

/** How many alternatives an explanation goes through. */
const explained = 3

/** A range as `NewConstraint` of that release reads it. @throws InvalidRangeError exactly where it fails */
export function parseConstraint(range: string, masterminds: Masterminds): Constraint<SemanticVersion> {
  // Whatever is longer in bytes than in characters has a character that no range may have.
  if (range.length > maxRangeLength) {
    refuse(range, maxRangeLength, `The range is longer than ${maxRangeLength} bytes`)
  }
  const groups = readGroups(range, masterminds)
  const comparators = groups.flat()
  return {
    has: (version) => groups.some((group) => group.every((comparator) => admits(comparator, version))),
    why: (version) => whyNone(groups, version),
    aim: {
      at: comparators.map(({ version }) => version),
      kinship: (version) =>
        Number(version.prerelease === '' || comparators.some((comparator) => invites(comparator, version))),
    },
  }
}

function readGroups(range: string, masterminds: Masterminds): Group[] {
  const { text, origins } = rewriteHyphenRanges(range)
  const groups: Group[] = []
  for (let start = 0; ;) {
    const bars = text.indexOf('||', start)
    const end = bars === -1 ? text.length : bars
    groups.push(readGroup({ range, text: text.slice(start, end), origins: origins.slice(start, end + 1) }, masterminds))
    if (bars === -1) return groups
    if (groups.length === masterminds.maxGroups) {
      refuse(range, origins[bars] ?? 0, `The range has more than ${masterminds.maxGroups} alternatives`)
    }
    start = bars + 2
  }
}

/** A prerelease is worth naming where prereleases are asked for, or where the range names the very release that it comes before. */
function invites({ version: named, prereleases }: Comparator, version: SemanticVersion): boolean {
  return prereleases || compareVersions({ ...version, prerelease: '' }, named) === 0
}

/** What the first alternatives have against it, the same thing once. */
function whyNone(groups: readonly Group[], version: SemanticVersion): string {
  const reasons = groups.slice(0, explained).flatMap((group) => {
    const refusing = group.find((comparator) => !admits(comparator, version))
    return refusing ? [whyRefused(refusing, version)] : []
  })
  return [...new Set(reasons)].join(', and ')
}
