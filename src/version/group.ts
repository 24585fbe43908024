import type { Comparator, Operator } from './comparator.ts'
import { digitsEnd, readNumber, type Uint64 } from './uint64.ts'
import type { Masterminds } from './masterminds.ts'
import {
  type GroupText,
  refuseAfterOperator,
  refuseAfterVersion,
  refuseAt,
  refuseEmpty,
  refusePart,
} from './range-faults.ts'
import { numberWithLeadingZero, type SemanticVersion } from './semantic-version.ts'
import { isWildcard, scanVersionPattern, skipSpace, type Span, type VersionPattern } from './version-pattern.ts'

/** What stands between two `||`: all of it holds at once. */
export type Group = readonly Comparator[]

/** Comparators with space or a comma between them. @throws InvalidRangeError */
export function readGroup(group: GroupText, masterminds: Masterminds): Group {
  const { text } = group
  const read = new Map<string, Comparator>()
  let at = skipSpace(text, 0)
  if (at === text.length) refuseEmpty(group)
  for (;;) {
    const { comparator, end } = readComparator(group, at, masterminds)
    // Once is enough: with 256 times `*` a long list would take long.
    read.set(comparator.operator + comparator.named, comparator)
    at = skipSpace(text, end)
    if (at === text.length) break
    if (text[at] === ',') at = skipSpace(text, at + 1)
    else if (at === end) refuseAfterVersion(group, at)
  }
  const comparators = [...read.values()]
  if (masterminds.prereleasesBy === 'comparator') return comparators
  const prereleases = comparators.some(({ version }) => version.prerelease !== '')
  return comparators.map((comparator) => ({ ...comparator, prereleases }))
}

function readComparator(
  group: GroupText,
  start: number,
  masterminds: Masterminds,
): { comparator: Comparator; end: number } {
  const { text } = group
  const written = operatorAt(text, start)
  const pattern = scanVersionPattern(text, skipSpace(text, start + written.length))
  if (pattern === undefined) return refuseAfterOperator(group, start, written)
  const operator = operators.get(written) ?? '='
  const numbers = countNumbers(text, pattern)
  const version = readPattern(group, pattern, numbers, masterminds)
  const named = text.slice(pattern.start, pattern.end)
  const prereleases = version.prerelease !== '' || (operator === '!=' && numbers === 3)
  return { comparator: { operator, version, named, numbers, prereleases }, end: pattern.end }
}

const operators = new Map<string, Operator>([
  ['=', '='],
  ['!=', '!='],
  ['>', '>'],
  ['<', '<'],
  ['>=', '>='],
  ['=>', '>='],
  ['<=', '<='],
  ['=<', '<='],
  ['~', '~'],
  ['~>', '~'],
  ['^', '^'],
])

/** @returns the operator as it is written; empty where there is none, which means `=` */
function operatorAt(text: string, at: number): string {
  const spellings = [text.slice(at, at + 2), text.charAt(at)]
  return spellings.find((spelling) => operators.has(spelling)) ?? ''
}

/** Those before the first wildcard or the end. What stands after a wildcard is never looked at: `1.x.9` is `1.x`. */
function countNumbers(text: string, { parts }: VersionPattern): Comparator['numbers'] {
  const isNumber = (part: Span | undefined): boolean =>
    part !== undefined && !(part.end - part.start === 1 && isWildcard(text.charCodeAt(part.start)))
  if (!isNumber(parts[0])) return 0
  if (!isNumber(parts[1])) return 1
  return isNumber(parts[2]) ? 3 : 2
}

function readPattern(
  group: GroupText,
  pattern: VersionPattern,
  numbers: Comparator['numbers'],
  { maxVersionLength }: Masterminds,
): SemanticVersion {
  const read = (part: Span) => readPart(group, part)
  const [major = 0, minor = 0, patch = 0] = pattern.parts.slice(0, numbers).map(read)
  const prerelease = group.text.slice(pattern.prerelease.start, pattern.prerelease.end)
  const zero = numberWithLeadingZero(prerelease)
  if (zero !== undefined) {
    refuseAt(group, pattern.prerelease.start + zero, `A number in a prerelease has a leading zero`)
  }
  if (lengthAsVersion(pattern, numbers) > maxVersionLength) {
    refuseAt(group, pattern.start, `A version is longer than ${maxVersionLength} bytes`)
  }
  return { major, minor, patch, prerelease }
}

/** @throws InvalidRangeError for `1x` and `1|2`, which the pattern takes, and for numbers over 64 bits */
function readPart(group: GroupText, { start, end }: Span): Uint64 {
  if (digitsEnd(group.text, start) !== end) refusePart(group, start, end)
  const number = readNumber(group.text, start, end)
  return number ?? refuseAt(group, start, 'A number is above 18446744073709551615')
}

/** Masterminds measures the version that it makes of the pattern: `1.2-rc+build` becomes `1.2.0-rc`. */
function lengthAsVersion({ start, end, parts, prerelease }: VersionPattern, numbers: Comparator['numbers']): number {
  if (numbers === 3) return end - start
  const last = parts[numbers - 1]
  const given = last === undefined ? 1 : last.end - (parts[0]?.start ?? 0)
  const zeros = '.0'.length * (numbers === 0 ? 2 : 3 - numbers)
  return given + zeros + (prerelease.end === prerelease.start ? 0 : prerelease.end - prerelease.start + 1)
}
