import type { Constraint } from './dialect.ts'
import { constraintOf, type Group } from './image-group.ts'
import { readOperand } from './image-operand.ts'
import { hyphenTerm, termOf, type Operand, type Operator, type Term } from './image-term.ts'
import { refuse } from './invalid-range.ts'
import { isDate, isPrerelease, variantOf, type ImageVersion } from './image-version.ts'
import { isSpace, skipSpace as spaceEnd } from './version-pattern.ts'

/** The limits of Masterminds/semver 3.5: bytes of a range, and groups between `||`. */
const maxLength = 512
const maxGroups = 32

const operators: ReadonlyMap<string, Operator> = new Map([
  ['', '='],
  ['=', '='],
  ['!=', '!='],
  ['>', '>'],
  ['>=', '>='],
  ['=>', '>='],
  ['<', '<'],
  ['<=', '<='],
  ['=<', '<='],
  ['~', '~'],
  ['~>', '~'],
  ['^', '^'],
])

interface Cursor {
  readonly range: string
  at: number
}

/**
 * `range = group ("||" group)*`, `group = term ((space | ",") term)*`, `term = [operator] version | version " - " version`, a version being
 * what a tag can be, with `x`, `X` or `*` for numbers. Every tag of a group has the group's one variant.
 * @throws InvalidRangeError
 */
export function parseImageRange(range: string): Constraint<ImageVersion> {
  if (range.length > maxLength) refuse(range, maxLength, `The range is longer than ${maxLength} bytes`)
  const cursor = { range, at: 0 }
  skipSpace(cursor)
  if (cursor.at === range.length) refuse(range, 0, 'The range is empty: * asks for any version')
  const groups: Group[] = []
  for (;;) {
    groups.push(readGroup(cursor))
    if (cursor.at === range.length) return constraintOf(groups)
    if (groups.length === maxGroups) refuse(range, cursor.at, `The range has more than ${maxGroups} groups`)
    cursor.at += 2
  }
}

function readGroup(cursor: Cursor): Group {
  const group: Group = { terms: [], variant: '', prereleases: false, scheme: undefined }
  skipSpace(cursor)
  const { range, at } = cursor
  if (at === range.length || range.startsWith('||', at)) refuse(range, at, 'Nothing stands on one side of ||')
  if (range[at] === ',') refuse(range, at, 'Nothing stands before the comma')
  do group.terms.push(readTerm(cursor, group))
  while (anotherFollows(cursor))
  return group
}

/** Moves to the next term of the group, over the space or comma before it. @returns false at the end of the group */
function anotherFollows(cursor: Cursor): boolean {
  const { range, at: end } = cursor
  skipSpace(cursor)
  if (endsGroup(cursor)) return false
  if (range[cursor.at] === ',') {
    const comma = cursor.at++
    skipSpace(cursor)
    if (endsGroup(cursor) || range[cursor.at] === ',') refuse(range, comma, 'Nothing stands after the comma')
    return true
  }
  if (range[cursor.at] === '|') refuse(range, cursor.at, 'A single | stands where || belongs')
  if (cursor.at === end && operatorEnd(range, end) !== end)
    refuse(range, end, 'A space or a comma is missing between two terms')
  return true
}

function readTerm(cursor: Cursor, group: Group): Term {
  const { range, at: start } = cursor
  cursor.at = operatorEnd(range, start)
  const written = range.slice(start, cursor.at)
  const operator = operators.get(written)
  if (operator === undefined) refuse(range, start, `${written} is no operator: there are = != > >= < <= ~ ^`)
  skipSpace(cursor)
  const lower = takeOperand(cursor, group)
  const end = cursor.at
  if (takeHyphen(cursor)) {
    if (written !== '') refuse(range, start, `A hyphen range has no operator, and here is ${written}`)
    const upper = takeOperand(cursor, group)
    return hyphenTerm(range.slice(start, cursor.at), lower, upper)
  }
  const text = range.slice(start, end)
  if (lower.numbers === 0 && (operator === '>' || operator === '<' || operator === '!='))
    refuse(range, start, `Nothing can be ${text}`)
  return termOf(text, operator, lower)
}

function takeOperand(cursor: Cursor, group: Group): Operand {
  const { range, at: start } = cursor
  const { operand, end } = readOperand(range, start)
  const { version } = operand
  cursor.at = end
  const variant = variantOf(version)
  if (variant !== '' && group.variant !== '' && variant !== group.variant) {
    refuse(
      range,
      start + version.variantAt,
      `One group asks for two variants, ${group.variant} and ${variant}: put || between them`,
    )
  }
  group.variant ||= variant
  group.prereleases ||= isPrerelease(version)
  if (operand.numbers === 0) return operand
  const scheme = isDate(version) ? 'date' : 'version'
  if (group.scheme !== undefined && group.scheme !== scheme) {
    refuse(
      range,
      start,
      `One group asks for versions and for a date or build count of eight digits: put || between them`,
    )
  }
  group.scheme = scheme
  return operand
}

/** Moves over the ` - ` of a hyphen range, if one is here. */
function takeHyphen(cursor: Cursor): boolean {
  const { range, at: end } = cursor
  const ahead = { range, at: end }
  skipSpace(ahead)
  if (ahead.at === end || range[ahead.at] !== '-' || !isSpace(range.charCodeAt(ahead.at + 1))) return false
  ahead.at++
  skipSpace(ahead)
  cursor.at = ahead.at
  return true
}

const endsGroup = ({ range, at }: Cursor): boolean => at === range.length || range.startsWith('||', at)

function operatorEnd(range: string, start: number): number {
  let end = start
  while (end < range.length && '=!<>~^'.includes(range.charAt(end))) end++
  return end
}

function skipSpace(cursor: Cursor): void {
  cursor.at = spaceEnd(cursor.range, cursor.at)
}
