import { code, digitsEnd } from './uint64.ts'

/**
 * The words that make a prerelease, after a hyphen (`6.2-rc2-bookworm`, `24-ea`) or glued to the number (`1.24rc1`). Renovate takes those after a
 * hyphen for variants, which would make `>=6.2-rc2` mean `7.0-rc2`, and any text that is glued for a prerelease: `32bit` too.
 */
const words = ['alpha', 'beta', 'canary', 'cr', 'ea', 'milestone', 'nightly', 'pre', 'preview', 'rc', 'snapshot']
/** These need a number: `8.0-M04` is a milestone, but `1.2-dev` is a variant with a shell and a compiler. */
const numberedWords = ['m', 'dev']
/** These are Python's, and need a number and no hyphen: `3.14.0a2`, but `11.0.2-b13` is a build. */
const gluedWords = ['a', 'b', 'c']

interface Word {
  text: string
  numbered: boolean
  glued: boolean
}

const byLetter: Word[][] = []
for (const text of words) enter({ text, numbered: false, glued: false })
for (const text of numberedWords) enter({ text, numbered: true, glued: false })
for (const text of gluedWords) enter({ text, numbered: true, glued: true })

function enter(word: Word): void {
  const letter = word.text.charCodeAt(0)
  byLetter[letter] = [...(byLetter[letter] ?? []), word]
}

/** Where the prerelease that starts at `at`, after a hyphen, ends; `at` when a variant stands there. `0` is the lowest prerelease, as in semver. */
export function prereleaseEnd(text: string, at: number): number {
  const initial = text.charCodeAt(at)
  const candidates = byLetter[lower(initial)]
  if (candidates === undefined && initial !== code.zero) return at
  const end = pieceEnd(text, at)
  if (candidates === undefined) return end === at + 1 ? end : at
  for (const word of candidates) {
    if (word.glued || !hasWord(text, at, word.text)) continue
    const next = at + word.text.length
    const isWhole = next === end ? !word.numbered : text.charCodeAt(next) === code.dot || digitsEnd(text, next) !== next
    if (isWhole) return end
  }
  return at
}

/** Where the prerelease that is glued to the number at `at` ends (`rc1`, `_rc1`); `at` when there is none. */
export function gluedEnd(text: string, at: number): number {
  const start = text.charCodeAt(at) === code.underscore ? at + 1 : at
  for (const word of byLetter[lower(text.charCodeAt(start))] ?? []) {
    if (!hasWord(text, start, word.text)) continue
    const next = start + word.text.length
    const end = digitsEnd(text, next)
    if (end === next && word.numbered) continue
    if (end === text.length || text.charCodeAt(end) === code.hyphen) return end
  }
  return at
}

/** A tag and where its prerelease stands: an empty span is a release. */
export interface PrereleaseSpan {
  readonly tag: string
  prereleaseAt: number
  prereleaseTo: number
}

/** A release is above its prereleases; their words compare by letter whatever the case, their numbers as numbers, their separators not at all. */
export function comparePrereleases(a: PrereleaseSpan, b: PrereleaseSpan): number {
  const aHas = a.prereleaseAt !== a.prereleaseTo
  const bHas = b.prereleaseAt !== b.prereleaseTo
  if (!aHas || !bHas) return Number(bHas) - Number(aHas)
  let i = skipSeparators(a, a.prereleaseAt)
  let j = skipSeparators(b, b.prereleaseAt)
  while (i < a.prereleaseTo && j < b.prereleaseTo) {
    const iEnd = digitsEnd(a.tag, i)
    const jEnd = digitsEnd(b.tag, j)
    const order =
      iEnd !== i && jEnd !== j
        ? compareDigits(a.tag.slice(i, iEnd), b.tag.slice(j, jEnd))
        : lower(a.tag.charCodeAt(i)) - lower(b.tag.charCodeAt(j))
    if (order !== 0) return order
    i = skipSeparators(a, Math.max(iEnd, i + 1))
    j = skipSeparators(b, Math.max(jEnd, j + 1))
  }
  return Number(i < a.prereleaseTo) - Number(j < b.prereleaseTo)
}

/** Of any length: dates and hashes stand in prereleases too. */
function compareDigits(a: string, b: string): number {
  const [left, right] = [withoutZeros(a), withoutZeros(b)]
  if (left.length !== right.length) return left.length - right.length
  if (left === right) return 0
  return left < right ? -1 : 1
}

function withoutZeros(digits: string): string {
  let at = 0
  while (at < digits.length - 1 && digits.charCodeAt(at) === code.zero) at++
  return digits.slice(at)
}

function skipSeparators(version: PrereleaseSpan, from: number): number {
  let at = from
  while (at < version.prereleaseTo && isSeparator(version.tag.charCodeAt(at))) at++
  return at
}

const isSeparator = (c: number): boolean => c === code.dot || c === code.underscore

function pieceEnd(text: string, at: number): number {
  const end = text.indexOf('-', at)
  return end === -1 ? text.length : end
}

function hasWord(text: string, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (lower(text.charCodeAt(at + i)) !== word.charCodeAt(i)) return false
  return true
}

const lower = (c: number): number => (c >= 65 && c <= 90 ? c + 32 : c)
