import { code, digitsEnd, readNumber } from './uint64.ts'
import type { Operand } from './image-term.ts'
import { emptyVersion, maxVersionLength, readSuffix, setNumber, type ImageVersion } from './image-version.ts'
import { refuse } from './invalid-range.ts'

/** Reads the version, partial version or x-range at `start`. @throws InvalidRangeError */
export function readOperand(range: string, start: number): { operand: Operand; end: number } {
  const end = operandEnd(range, start)
  if (end === start) refuseNothing(range, start)
  if (end - start > maxVersionLength) refuse(range, start, `A version is longer than ${maxVersionLength} bytes`)
  const version = emptyVersion(range.slice(start, end))
  const { numbers, wildcard, at } = readNumbers(range, start, version)
  const next = version.tag.charCodeAt(at)
  if (isWildcard(next) || (wildcard && at < version.tag.length && next !== code.hyphen)) {
    refuse(range, start + at, 'An x or * stands for one whole number: write 1.x, or 1.x-alpine')
  }
  const trouble = readSuffix(version, at)
  if (trouble !== undefined) refuseSuffix(range, start + trouble)
  checkVariant(range, start, version)
  return { operand: { version, numbers, wildcard }, end }
}

function readNumbers(
  range: string,
  start: number,
  version: ImageVersion,
): { numbers: number; wildcard: boolean; at: number } {
  const text = version.tag
  let [at, numbers, wildcard] = [text.charCodeAt(0) === code.v ? 1 : 0, 0, false]
  for (let index = 0; index < 4; index++) {
    const end = digitsEnd(text, at)
    if (isWildcard(text.charCodeAt(at))) wildcard = true
    else if (end === at) refuseNoNumber(range, start, start + at)
    const number = readNumber(text, at, end)
    if (number === undefined && end !== at)
      refuse(range, start + at, `The number ${text.slice(at, end)} is over 2^64 - 1`)
    if (number !== undefined && !wildcard) setNumber(version, numbers++, number)
    at = Math.max(end, at + 1)
    if (text.charCodeAt(at) !== code.dot) return { numbers, wildcard, at }
    at++
  }
  return refuse(range, start + at, 'A version has more than four numbers')
}

/** A variant is named in full, in letters that a tag can have. */
function checkVariant(range: string, start: number, { tag, variantAt }: ImageVersion): void {
  for (let at = variantAt; at < tag.length; at++) {
    const c = tag.charCodeAt(at)
    if (c === code.star) refuse(range, start + at, 'A variant is named in full, without *')
    if (c === code.plus) refusePlus(range, start + at)
  }
}

function refuseNothing(range: string, at: number): never {
  if (at === range.length) refuse(range, at, 'A version is missing at the end')
  const character = String.fromCodePoint(range.codePointAt(at) ?? 0)
  if (character === '|' || character === ',') refuse(range, at, `A version is missing before the ${character}`)
  return refuse(range, at, `${JSON.stringify(character)} has no place in a range`)
}

function refuseNoNumber(range: string, start: number, at: number): never {
  if (range[start] === '-') refuse(range, start, 'A hyphen range has a space on both sides of its hyphen: 1.2 - 1.4')
  if (range[at - 1] === '.') refuse(range, at, 'No number follows the dot')
  return refuse(
    range,
    start,
    `${JSON.stringify(range.slice(start, operandEnd(range, start)))} does not begin with a number`,
  )
}

function refuseSuffix(range: string, at: number): never {
  if (range[at] === '-') refuse(range, at, 'No variant follows the hyphen')
  if (range[at] === '+') refusePlus(range, at)
  return refuse(
    range,
    at,
    `${JSON.stringify(range.slice(at, operandEnd(range, at)))} is no prerelease, and a variant begins with a hyphen`,
  )
}

function refusePlus(range: string, at: number): never {
  return refuse(range, at, 'A tag has no +, so the range of an image has none either')
}

const isWildcard = (c: number): boolean => c === code.x || c === code.upperX || c === code.star

function operandEnd(range: string, start: number): number {
  let end = start
  while (end < range.length && isOperandCharacter(range.charCodeAt(end))) end++
  return end
}

function isOperandCharacter(c: number): boolean {
  if (c >= code.zero && c <= code.nine) return true
  const lower = c | 32
  if (lower >= code.a && lower <= 122) return true
  return c === code.dot || c === code.hyphen || c === code.underscore || c === code.star || c === code.plus
}
