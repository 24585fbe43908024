/** What can be wrong with a range: each fault has a sentence of its own. */
import { code } from './uint64.ts'
import { refuse } from './invalid-range.ts'
import { isIdentifierCharacter } from './semantic-version.ts'
import { isPartCharacter, skipSpace } from './version-pattern.ts'

/** What stands between two `||`. */
export interface GroupText {
  /** The whole range as it was written. */
  readonly range: string
  /** The group, its hyphen ranges rewritten. */
  readonly text: string
  /** Where in the range each character of `text` and its end come from. */
  readonly origins: readonly number[]
}

/** @throws InvalidRangeError always; `at` counts in the text of the group */
export function refuseAt({ range, origins }: GroupText, at: number, what: string): never {
  return refuse(range, origins[at] ?? range.length, what)
}

export function refuseEmpty(group: GroupText): never {
  if (group.range.trim() === '') return refuse(group.range, 0, 'The range is empty: * asks for any version')
  return refuseAt(group, 0, 'Nothing stands on one side of ||')
}

/** Where a version should begin, `start` being the place of its operator, if it has one. */
export function refuseAfterOperator(group: GroupText, start: number, operator: string): never {
  const { text } = group
  const at = skipSpace(text, start + operator.length)
  const character = characterAt(text, at)
  if (operator !== '' && at === text.length)
    return refuseAt(group, start, `No version follows the operator ${operator}`)
  if (operator !== '' && '=<>!~^'.includes(character)) {
    if (at > start + operator.length)
      return refuseAt(group, start + operator.length, 'A space stands inside an operator')
    return refuseAt(group, start, `${operator}${character} is no operator: there are = != > >= < <= ~ ^`)
  }
  if (operator !== '' && character === ',') return refuseAt(group, start, `No version follows the operator ${operator}`)
  if (character === ',' || character === '') return refuseAt(group, at, 'Nothing stands on one side of a comma')
  if (character === '!') return refuseAt(group, at, 'A ! has no = after it')
  if (character === 'V') return refuseAt(group, at, 'The V before a version is a small v')
  if (character === '-') return refuseAt(group, at, hyphenNeeds)
  if (character === '.') return refuseAt(group, at, 'No number stands before the dot')
  if (isWordCharacter(text, at))
    return refuseAt(group, at, `${wordAt(text, at)} is no version: it begins with no number`)
  return refuseAt(group, at, `${nameOf(character)} has no place in a range`)
}

/** Directly after a version, where space, a comma or the end is due. */
export function refuseAfterVersion(group: GroupText, at: number): never {
  const { text } = group
  const character = characterAt(text, at)
  if ('=<>!~^'.includes(character)) return refuseAt(group, at, 'A space or a comma is missing between two conditions')
  if (character === '.' && isPartCharacter(text.charCodeAt(at + 1))) {
    return refuseAt(group, at, 'A version has at most three numbers')
  }
  if (character === '.') return refuseAt(group, at, 'Nothing follows the dot')
  if (character === '-') return refuseAt(group, at, `No prerelease follows the hyphen. ${hyphenNeeds}`)
  if (character === '+') return refuseAt(group, at, 'No build follows the +')
  if (character === '_') return refuseAt(group, at, 'A build is written with + in a range, and with _ in a tag only')
  if (isWordCharacter(text, at))
    return refuseAt(group, at, `${wordAt(text, at)} follows a number with no hyphen between`)
  return refuseAt(group, at, `${nameOf(character)} has no place in a range`)
}

/** A part of a version that is neither a number nor a wildcard. */
export function refusePart(group: GroupText, start: number, end: number): never {
  const part = group.text.slice(start, end)
  const bar = part.indexOf('|')
  if (bar !== -1) return refuseAt(group, start + bar, 'A single | stands where || belongs')
  return refuseAt(group, start, `${part} is neither a number nor a wildcard`)
}

const hyphenNeeds = 'A hyphen range has a version and a space on both sides of its hyphen'

const characterAt = (text: string, at: number): string =>
  at < text.length ? String.fromCodePoint(text.codePointAt(at) ?? 0) : ''

const isWordCharacter = (text: string, at: number): boolean =>
  isIdentifierCharacter(text.charCodeAt(at)) && text.charCodeAt(at) !== code.hyphen

function wordAt(text: string, start: number): string {
  let end = start
  while (isIdentifierCharacter(text.charCodeAt(end))) end++
  return text.slice(start, end)
}

/** Printable ones as they are; a space that is none, a control character, half a surrogate pair by their number. */
function nameOf(character: string): string {
  const point = character.codePointAt(0) ?? 0
  return point > 32 && point < 127 ? character : `U+${point.toString(16).toUpperCase().padStart(4, '0')}`
}
