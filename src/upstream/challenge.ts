/** WWW-Authenticate, as RFC 9110 section 11.6.1 defines it and as registries write it. */

export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  scheme: string
  /** Names in lower case, values unquoted. Of a name that is repeated the first counts. */
  parameters: Map<string, string>
  token68?: string
}

const mostChallenges = 32
const mostParameters = 32

/**
 * All challenges of all lines, in order. Never throws: what cannot be understood is passed over. Missing commas between
 * parameters are forgiven. Time is linear in the length of the lines.
 */
export function parseChallenges(lines: string[]): Challenge[] {
  const challenges: Challenge[] = []
  for (const line of lines) {
    readLine(line, challenges)
  }
  return challenges.slice(0, mostChallenges)
}

const separators = /[ \t,]*/y
const blanks = /[ \t]*/y
const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const wholeToken68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y
const plainValue = /[^ \t,"]*/y
const junk = /[^,"]*/y

/** A place in a line; each `take` moves it over what the pattern matches there. */
interface Cursor {
  line: string
  at: number
}

function take(cursor: Cursor, pattern: RegExp): string {
  pattern.lastIndex = cursor.at
  const text = pattern.exec(cursor.line)?.[0] ?? ''
  cursor.at += text.length
  return text
}

function readLine(line: string, challenges: Challenge[]): void {
  const cursor = { line, at: 0 }
  let current: Challenge | undefined
  while (challenges.length <= mostChallenges) {
    take(cursor, separators)
    if (cursor.at >= line.length) return
    const word = take(cursor, token)
    if (word === '') {
      skipElement(cursor)
      continue
    }
    const end = cursor.at
    take(cursor, blanks)
    if (line[cursor.at] === '=') {
      cursor.at++
      const value = readValue(cursor)
      if (value !== undefined && current) remember(current, word, value)
      continue
    }
    current = { scheme: word.toLowerCase(), parameters: new Map() }
    challenges.push(current)
    if (cursor.at > end) readToken68(cursor, current)
  }
}

/** Passes over an element that starts with no token, quoted commas included. */
function skipElement(cursor: Cursor): void {
  if (cursor.line[cursor.at] === '"') {
    readQuoted(cursor)
    return
  }
  cursor.at++
  take(cursor, junk)
}

function readToken68(cursor: Cursor, challenge: Challenge): void {
  const text = take(cursor, wholeToken68)
  if (text !== '') challenge.token68 = text
}

function remember(challenge: Challenge, name: string, value: string): void {
  const key = name.toLowerCase()
  if (challenge.parameters.has(key) || challenge.parameters.size >= mostParameters) return
  challenge.parameters.set(key, value)
}

/** The value after `=`; `undefined` where its quote is never closed, and then the rest of the line is gone. */
function readValue(cursor: Cursor): string | undefined {
  take(cursor, blanks)
  return cursor.line[cursor.at] === '"' ? readQuoted(cursor) : take(cursor, plainValue)
}

function readQuoted(cursor: Cursor): string | undefined {
  const { line } = cursor
  const parts: string[] = []
  let from = cursor.at + 1
  for (let at = from; at < line.length; at++) {
    if (line[at] === '"') {
      cursor.at = at + 1
      return parts.join('') + line.slice(from, at)
    }
    if (line[at] !== '\\') continue
    parts.push(line.slice(from, at))
    from = at + 1
    at++
  }
  cursor.at = line.length
  return undefined
}
