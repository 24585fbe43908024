import { code } from './uint64.ts'
import { identifiersEnd, isIdentifierCharacter } from './semantic-version.ts'

const bar = 124

/** A stretch of a text, from `start` to before `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A version as a range may write it: `v1.x.*-rc.1+build`. What its numbers are is not looked at here. */
export interface VersionPattern extends Span {
  /** One to three, without their dots: digits and wildcards, and, by a slip in Masterminds' expression, `|`. */
  readonly parts: readonly Span[]
  /** Without the hyphen; empty where there is none. */
  readonly prerelease: Span
}

/** The longest version pattern at `start`: what the greedy regular expression of Masterminds (`cvRegex`) finds, in one pass. */
export function scanVersionPattern(text: string, start: number): VersionPattern | undefined {
  const first = scanPart(text, text.charCodeAt(start) === code.v ? start + 1 : start)
  if (first === undefined) return undefined
  const parts = [first]
  let end = first.end
  while (parts.length < 3 && text.charCodeAt(end) === code.dot) {
    const part = scanPart(text, end + 1)
    if (part === undefined) break
    parts.push(part)
    end = part.end
  }
  let prerelease: Span = { start: end, end }
  if (text.charCodeAt(end) === code.hyphen && isIdentifierCharacter(text.charCodeAt(end + 1))) {
    prerelease = { start: end + 1, end: identifiersEnd(text, end + 1) }
    end = prerelease.end
  }
  if (text.charCodeAt(end) === code.plus && isIdentifierCharacter(text.charCodeAt(end + 1))) {
    end = identifiersEnd(text, end + 1)
  }
  return { start, end, parts, prerelease }
}

export function isPartCharacter(c: number): boolean {
  return (c >= code.zero && c <= code.nine) || isWildcard(c) || c === bar
}

export const isWildcard = (c: number): boolean => c === code.x || c === code.upperX || c === code.star

function scanPart(text: string, start: number): Span | undefined {
  let end = start
  while (isPartCharacter(text.charCodeAt(end))) end++
  return end === start ? undefined : { start, end }
}

/** Go's `\s`: JavaScript's takes a no-break space, a vertical tab and a byte order mark too. */
export function isSpace(c: number): boolean {
  return c === 32 || c === 9 || c === 10 || c === 12 || c === 13
}

export function skipSpace(text: string, at: number): number {
  let end = at
  while (isSpace(text.charCodeAt(end))) end++
  return end
}
