import { code, digitsEnd, readNumber, type Uint64 } from './uint64.ts'

/** A version of semver.org. Its build metadata never counts, so it is not kept. */
export interface SemanticVersion {
  major: Uint64
  minor: Uint64
  patch: Uint64
  /** `rc.1`; empty for a release. */
  prerelease: string
}

/** Why a text is no version: the end of a sentence that begins `it`. */
export interface Defect {
  readonly defect: string
  /** Whether it looks like a version all the same (`1.2.3-01`): Argo CD then gives up on the whole list. */
  readonly shaped: boolean
}

export interface Grammar {
  readonly maxLength: number
  /** Whether `v1.2.3` is one, `1.2` and `1` are (the rest is 0), and `01.2.3` is (as 1.2.3). */
  readonly lenient: boolean
  /** Whether `1.2.3-`, `1.2.3+` and `1.2.3-a..b` are. */
  readonly emptyIdentifiers: boolean
}

export const isVersion = (result: SemanticVersion | Defect): result is SemanticVersion => !('defect' in result)

/** One pass. What spoils the shape is said first, wherever it stands: only a text of the right shape has a leading zero or a number too high. */
export function readVersion(text: string, grammar: Grammar): SemanticVersion | Defect {
  if (text.length > grammar.maxLength) return tooLong
  const version: SemanticVersion = { major: 0, minor: 0, patch: 0, prerelease: '' }
  let blemish: Defect | undefined
  let at = text.charCodeAt(0) === code.v ? 1 : 0
  if (at === 1 && !grammar.lenient) return prefixed
  for (let index = 0; ; index++) {
    const end = digitsEnd(text, at)
    if (end === at) return missingNumber(index)
    const number = readNumber(text, at, end)
    if (number === undefined) blemish ??= tooHigh
    else setNumber(version, index, number)
    if (!grammar.lenient && text.charCodeAt(at) === code.zero && end - at > 1) blemish ??= leadingZero
    at = end
    if (index === 2) break
    if (text.charCodeAt(at) === code.dot) at++
    else if (grammar.lenient) break
    else return missingNumber(index + 1)
  }
  if (at === text.length) return blemish ?? version
  return readSuffix(text, at, grammar, version, blemish)
}

/** Reads `-prerelease+build` from `start` to the end. */
function readSuffix(
  text: string,
  start: number,
  { emptyIdentifiers }: Grammar,
  version: SemanticVersion,
  blemish: Defect | undefined,
): SemanticVersion | Defect {
  const endOf = emptyIdentifiers ? looseIdentifiersEnd : identifiersEnd
  let at = start
  if (text.charCodeAt(at) === code.hyphen) {
    at = endOf(text, start + 1)
    if (at === start + 1 && !emptyIdentifiers) return emptyIdentifier
    version.prerelease = text.slice(start + 1, at)
    if (numberWithLeadingZero(version.prerelease) !== undefined) blemish ??= leadingZero
  }
  if (text.charCodeAt(at) === code.plus) {
    const build = at + 1
    at = endOf(text, build)
    if (at === build && !emptyIdentifiers) return emptyIdentifier
  }
  if (at === text.length) return blemish ?? version
  return text.charCodeAt(at) === code.dot && at !== start ? emptyIdentifier : strayCharacter
}

/** Where the identifiers that start at `start`, with single dots between them, end: a dot that none follows is not taken. */
export function identifiersEnd(text: string, start: number): number {
  let end = start
  for (;;) {
    const from = end
    while (isIdentifierCharacter(text.charCodeAt(end))) end++
    // After the last dot there is nothing: it was no dot between two.
    if (end === from) return Math.max(start, end - 1)
    if (text.charCodeAt(end) !== code.dot) return end
    end++
  }
}

function looseIdentifiersEnd(text: string, start: number): number {
  let end = start
  while (isIdentifierCharacter(text.charCodeAt(end)) || text.charCodeAt(end) === code.dot) end++
  return end
}

export function isIdentifierCharacter(c: number): boolean {
  if ((c >= code.zero && c <= code.nine) || c === code.hyphen) return true
  const lower = c | 32
  return lower >= code.a && lower <= 122
}

/** @returns the offset of the first identifier like `01`, which a prerelease must not have */
export function numberWithLeadingZero(prerelease: string): number | undefined {
  for (let at = 0; at < prerelease.length;) {
    const digits = digitsEnd(prerelease, at)
    const isWhole = digits === prerelease.length || prerelease.charCodeAt(digits) === code.dot
    if (isWhole && digits - at > 1 && prerelease.charCodeAt(at) === code.zero) return at
    const dot = prerelease.indexOf('.', digits)
    if (dot === -1) return undefined
    at = dot + 1
  }
  return undefined
}

function setNumber(version: SemanticVersion, index: number, number: Uint64): void {
  if (index === 0) version.major = number
  else if (index === 1) version.minor = number
  else version.patch = number
}

const shapeless = (defect: string): Defect => ({ defect, shaped: false })
const missing = [
  shapeless('it does not begin with a number'),
  shapeless('it has no minor number'),
  shapeless('it has no patch number'),
]
const missingNumber = (index: number): Defect => missing[index] ?? strayCharacter
const prefixed = shapeless('it begins with a v')
const emptyIdentifier = shapeless('its prerelease or build has an empty part')
const strayCharacter = shapeless('what follows its numbers is neither a prerelease nor a build')
const tooLong: Defect = { defect: 'it is too long', shaped: true }
const tooHigh: Defect = { defect: 'it has a number above 18446744073709551615', shaped: true }
const leadingZero: Defect = { defect: 'it has a number with a leading zero', shaped: true }
