import type { Cut } from './image-cut.ts'
import { successor, type Uint64 } from './uint64.ts'
import { emptyVersion, isAlias, isPrerelease, prereleaseOf, setNumber, type ImageVersion } from './image-version.ts'

/** A version as a range writes it. */
export interface Operand {
  readonly version: ImageVersion
  /** How many numbers stand before the first `x`, or at all: 0 is `*`. */
  readonly numbers: number
  /** Whether an `x` stands where a number could: `1.24.x-rc` is a line, `1.24-rc1` is a version. */
  readonly wildcard: boolean
}

/** The versions from one cut to another, or, for `!=`, all others. A cut that is not there bounds nothing. */
export interface Term {
  readonly text: string
  readonly from?: Cut | undefined
  readonly to?: Cut | undefined
  readonly outside: boolean
}

export type Operator = '=' | '!=' | '>' | '>=' | '<' | '<=' | '~' | '^'

/** What `operator` before `operand` lets through. `*` has no bounds: the caller refuses `>*`, `<*` and `!=*`. */
export function termOf(text: string, operator: Operator, operand: Operand): Term {
  if (operand.numbers === 0) return { text, outside: false }
  const { floor, start, end } = spanOf(operand)
  switch (operator) {
    case '=':
      return { text, from: floor, to: end, outside: false }
    case '!=':
      return { text, from: floor, to: end, outside: true }
    case '>':
      return { text, from: end, outside: false }
    case '>=':
      return { text, from: start, outside: false }
    case '<':
      return { text, to: floor, outside: false }
    case '<=':
      return { text, to: end, outside: false }
    case '~':
      return { text, from: start, to: lineEnd(operand.version, Math.min(operand.numbers, 2)), outside: false }
    case '^':
    default:
      return { text, from: start, to: lineEnd(operand.version, significant(operand)), outside: false }
  }
}

/** `1.2 - 1.4`: from the first of 1.2 to the last of 1.4. */
export function hyphenTerm(text: string, lower: Operand, upper: Operand): Term {
  const from = lower.numbers === 0 ? undefined : spanOf(lower).start
  const to = upper.numbers === 0 ? undefined : spanOf(upper).end
  return { text, from, to, outside: false }
}

/**
 * Where an operand starts and ends. A version (three or four numbers, a build, or a prerelease with a number of its own) is one point. Anything
 * shorter, or with an `x` or the mere opt-in `-0`, is a line: all that begin so. `>=1.2` starts at 1.2.0, but 1.2.0-rc1 is one of 1.2 and so none of `<1.2`.
 */
function spanOf(operand: Operand): { floor: Cut; start: Cut; end: Cut } {
  const { version, numbers, wildcard } = operand
  const start: Cut = { at: version, side: 'before' }
  const prerelease = prereleaseOf(version)
  if (!wildcard && (prerelease !== '0' || numbers > 2) && !isAlias(version)) {
    return { floor: start, start, end: { at: version, side: 'after' } }
  }
  const line = { start, end: lineEnd(version, numbers) }
  if (!isPrerelease(version)) return { ...line, floor: { at: version, side: 'floor' } }
  if (wildcard || prerelease === '0') return { ...line, floor: start }
  return { floor: start, start, end: { at: releaseOf(version), side: 'before' } }
}

/** How many numbers `^` keeps: to the first that is not 0, or all that are given. */
function significant({ version, numbers }: Operand): number {
  const kept = numbersOf(version).findIndex((number) => number > 0) + 1
  return kept === 0 ? numbers : Math.min(kept, numbers)
}

/** Below everything that does not begin with the first `kept` numbers of `version`, and is above it. */
function lineEnd(version: ImageVersion, kept: number): Cut {
  const at = emptyVersion('')
  for (const [index, number] of numbersOf(version).slice(0, kept).entries()) {
    setNumber(at, index, index === kept - 1 ? successor(number) : number)
  }
  return { at, side: 'floor' }
}

const numbersOf = (version: ImageVersion): Uint64[] => [version.first, version.second, version.third, version.fourth]

const releaseOf = (version: ImageVersion): ImageVersion => ({ ...version, prereleaseAt: 0, prereleaseTo: 0 })
