import { compareNumbers, compareVersions } from './precedence.ts'
import type { SemanticVersion } from './semantic-version.ts'

export type Operator = '=' | '!=' | '>' | '>=' | '<' | '<=' | '~' | '^'

/** One condition of a range: `>=1.2`. */
export interface Comparator {
  readonly operator: Operator
  /** The version, with 0 for what is a wildcard or not there. */
  readonly version: SemanticVersion
  /** The version as it was written. */
  readonly named: string
  /** How many numbers stand before the first wildcard: 0 is `*`, 2 is `1.2` and `1.2.x`, 3 is a whole version. */
  readonly numbers: 0 | 1 | 2 | 3
  /** Whether prereleases come into question at all. */
  readonly prereleases: boolean
}

export function admits(comparator: Comparator, version: SemanticVersion): boolean {
  if (version.prerelease !== '' && !comparator.prereleases) return false
  return rules[comparator.operator](comparator, version)
}

type Rule = (comparator: Comparator, version: SemanticVersion) => boolean

/** Masterminds' own, quirks included (`constraintOps` in constraints.go). */
const rules: Record<Operator, Rule> = {
  '=': isInLine,
  '!=': isUnequal,
  '>': isGreater,
  '>=': (comparator, version) => compareVersions(version, comparator.version) >= 0,
  '<': (comparator, version) => compareVersions(version, comparator.version) < 0,
  '<=': isAtMost,
  '~': isInTilde,
  '^': isInCaret,
}

/** `1.2` is `~1.2`. */
function isInLine(comparator: Comparator, version: SemanticVersion): boolean {
  if (comparator.numbers < 3) return isInTilde(comparator, version)
  return compareVersions(version, comparator.version) === 0
}

/** `!=1` excludes all of 1, `!=1.2` the releases of 1.2 and of its prereleases the one that it names, `!=*` only 0.0.0. */
function isUnequal({ version: named, numbers }: Comparator, version: SemanticVersion): boolean {
  if (numbers === 1) return !same(version.major, named.major)
  if (numbers !== 2) return compareVersions(version, named) !== 0
  const isOther = !same(version.major, named.major) || !same(version.minor, named.minor)
  return isOther || version.prerelease !== named.prerelease
}

/** `>1` begins at 2.0.0 and `>1.2` at 1.3.0, with their prereleases. */
function isGreater({ version: named, numbers }: Comparator, version: SemanticVersion): boolean {
  if (numbers === 0 || numbers === 3) return compareVersions(version, named) > 0
  if (numbers === 1) return version.major > named.major
  return (compareNumbers(version.major, named.major) || compareNumbers(version.minor, named.minor)) > 0
}

/** `<=1` takes in all of 1 and `<=1.2` all of 1.2; `<=*` is no more than 0.0.z. */
function isAtMost({ version: named, numbers }: Comparator, version: SemanticVersion): boolean {
  if (numbers === 3) return compareVersions(version, named) <= 0
  if (numbers === 0) return same(version.major, 0) && same(version.minor, 0)
  if (numbers === 1) return version.major <= named.major
  return (compareNumbers(version.major, named.major) || compareNumbers(version.minor, named.minor)) <= 0
}

/** `~1.2.3` stays in 1.2 and `~1` in 1; `~*` and `~0.0.0` have no end. */
function isInTilde({ version: named, numbers }: Comparator, version: SemanticVersion): boolean {
  if (compareVersions(version, named) < 0) return false
  if (numbers === 0) return true
  if (numbers === 3 && same(named.major, 0) && same(named.minor, 0) && same(named.patch, 0)) return true
  return same(version.major, named.major) && (numbers === 1 || same(version.minor, named.minor))
}

/** `^1.2.3` stays in 1, `^0.2.3` in 0.2, `^0.0.3` in 0.0.3; `^0` in 0 and `^0.0` in 0.0; `^*` is 0.0.0. */
function isInCaret({ version: named, numbers }: Comparator, version: SemanticVersion): boolean {
  if (compareVersions(version, named) < 0 || !same(version.major, named.major)) return false
  if (named.major > 0 || numbers === 1) return true
  if (!same(version.minor, named.minor)) return false
  return named.minor > 0 || numbers === 2 || same(version.patch, named.patch)
}

/** Not `===`: a number and a bigint may be the same. */
const same = (a: number | bigint, b: number | bigint): boolean => a >= b && a <= b

/** Why `admits` refuses the version, as the end of a sentence that begins with it. */
export function whyRefused(comparator: Comparator, version: SemanticVersion): string {
  if (version.prerelease !== '' && !comparator.prereleases) return 'is a prerelease, and the range asks for none'
  const { operator, named, numbers } = comparator
  if (operator === '!=') return `is excluded by !=${named}`
  if (operator === '>') return `is not above ${named}`
  if (operator === '<') return `is not below ${named}`
  if (operator === '<=') return `is above ${named}`
  if (operator === '=' && numbers === 3) return `is not ${named}`
  if (compareVersions(version, comparator.version) < 0) return `is below ${named}`
  return `is above all that ${operator === '=' ? '' : operator}${named} takes in`
}
