import { comparePrereleases, gluedEnd, prereleaseEnd, type PrereleaseSpan } from './image-prerelease.ts'
import { code, digitsEnd, isDigit, readNumber, safeDigits, type Uint64 } from './uint64.ts'

/** A tag, or the version in a range, taken apart. Offsets instead of substrings: a list has 15,000 of these and most lose on a number. */
export interface ImageVersion extends PrereleaseSpan {
  /** The one to four numbers; -1 where there is none. */
  first: Uint64
  second: Uint64
  third: Uint64
  fourth: Uint64
  /** The 9 of `17.0.11_9-jdk`, a release of its own; -1 where there is none. */
  build: Uint64
  /** The variant is `tag.slice(variantAt)`: `alpine3.20`, or empty. */
  variantAt: number
}

/** As long as a version may be for Masterminds/semver 3.5. */
export const maxVersionLength = 256
/** From here on the first number is a date (20240807), a time or a counter of builds: another scheme than versions. */
const firstDate = 10_000_000

export function readImageVersion(tag: string): ImageVersion | undefined {
  let at = tag.charCodeAt(0) === code.v ? 1 : 0
  if (!isDigit(tag.charCodeAt(at)) || tag.length > maxVersionLength) return undefined
  const version = emptyVersion(tag)
  for (let index = 0; index < 4; index++) {
    const start = at
    let number: Uint64 = 0
    let c = 0
    for (; at < tag.length && isDigit((c = tag.charCodeAt(at))); at++) number = number * 10 + c - code.zero
    if (at - start > safeDigits || at === start) {
      const exact = readNumber(tag, start, at)
      if (exact === undefined) return undefined
      number = exact
    }
    setNumber(version, index, number)
    if (at === tag.length) return version
    if (c !== code.dot) return readSuffix(version, at) === undefined ? version : undefined
    at++
  }
  return undefined
}

/**
 * Reads what follows the numbers into `version`.
 * @returns the offset at which the text cannot be read, `undefined` when all is well
 */
export function readSuffix(version: ImageVersion, start: number): number | undefined {
  const { tag } = version
  let at = readBuild(version, start)
  if (at === tag.length) return undefined
  if (tag.charCodeAt(at) !== code.hyphen) {
    const end = gluedEnd(tag, at)
    if (end === at || isCommitHash(tag)) return at
    version.prereleaseAt = at
    version.prereleaseTo = end
    at = end
  } else {
    const end = prereleaseEnd(tag, at + 1)
    if (end !== at + 1) {
      version.prereleaseAt = at + 1
      version.prereleaseTo = end
      at = end
    }
  }
  if (at === tag.length) return undefined
  if (tag.charCodeAt(at) !== code.hyphen || at + 1 === tag.length) return at
  version.variantAt = at + 1
  return undefined
}

/** Why `readImageVersion` refuses a tag: what follows `is no version: `. */
export function whyNoImageVersion(tag: string): string {
  const start = tag.charCodeAt(0) === code.v ? 1 : 0
  if (tag.length > maxVersionLength) return `it is longer than ${maxVersionLength} bytes`
  if (!isDigit(tag.charCodeAt(start))) return 'it does not begin with a number'
  let at = start
  for (let index = 0; index < 4; index++) {
    const end = digitsEnd(tag, at)
    if (end === at) return 'no number follows its dot'
    if (readNumber(tag, at, end) === undefined) return `${tag.slice(at, end)} is over 2^64 - 1`
    at = end
    if (tag.charCodeAt(at) !== code.dot) break
    at++
  }
  if (tag.charCodeAt(at - 1) === code.dot) return 'it has more than four numbers'
  if (isCommitHash(tag)) return 'it reads as a commit hash'
  return 'what follows its numbers is no prerelease and no variant'
}

/**
 * Another scheme first (a date ranks below every version). Then aliases: `22` never wins over a longer tag, `22.9` never over a whole version of
 * the same major, though its own may be missing from the list. Then number by number, and a prerelease is below its release. Variants do not
 * count.
 */
export function compareImageVersions(a: ImageVersion, b: ImageVersion): number {
  const scheme = Number(isDate(b)) - Number(isDate(a))
  if (scheme !== 0) return scheme
  const lone = Number(isLoneAlias(b)) - Number(isLoneAlias(a))
  if (lone !== 0) return lone
  if (a.first > b.first || a.first < b.first) return a.first < b.first ? -1 : 1
  const alias = Number(isAlias(b)) - Number(isAlias(a))
  if (alias !== 0) return alias
  if (a.second > b.second || a.second < b.second) return a.second < b.second ? -1 : 1
  if (a.third > b.third || a.third < b.third) return a.third < b.third ? -1 : 1
  if (a.fourth > b.fourth || a.fourth < b.fourth) return a.fourth < b.fourth ? -1 : 1
  if (a.build > b.build || a.build < b.build) return a.build < b.build ? -1 : 1
  return comparePrereleases(a, b)
}

/** A tag that moves: `22`, `22.9`, and `3.14-rc`, whose prerelease has no number of its own. */
export function isAlias(version: ImageVersion): boolean {
  if (version.third >= 0 || version.build >= 0) return false
  for (let at = version.prereleaseAt; at < version.prereleaseTo; at++)
    if (digitsEnd(version.tag, at) !== at) return false
  return true
}

/** `22`: it never wins over a longer tag. */
const isLoneAlias = (version: ImageVersion): boolean => version.second < 0 && isAlias(version)

export const isDate = (version: ImageVersion): boolean => version.first >= firstDate

export const isPrerelease = (version: ImageVersion): boolean => version.prereleaseAt !== version.prereleaseTo

export const prereleaseOf = (version: ImageVersion): string =>
  version.tag.slice(version.prereleaseAt, version.prereleaseTo)

export const variantOf = (version: ImageVersion): string => version.tag.slice(version.variantAt)

export const emptyVersion = (tag: string): ImageVersion => ({
  tag,
  first: -1,
  second: -1,
  third: -1,
  fourth: -1,
  build: -1,
  prereleaseAt: 0,
  prereleaseTo: 0,
  variantAt: tag.length,
})

export function setNumber(version: ImageVersion, index: number, number: Uint64): void {
  if (index === 0) version.first = number
  else if (index === 1) version.second = number
  else if (index === 2) version.third = number
  else version.fourth = number
}

/** @returns where the build number ends; `start` when there is none: `_rc1` is a prerelease */
function readBuild(version: ImageVersion, start: number): number {
  const { tag } = version
  if (tag.charCodeAt(start) !== code.underscore) return start
  const end = digitsEnd(tag, start + 1)
  if (end !== tag.length && tag.charCodeAt(end) !== code.hyphen) return start
  const build = readNumber(tag, start + 1, end)
  if (build === undefined) return start
  version.build = build
  return end
}

/** Renovate's rule: 7 to 40 lower-case hexadecimal digits, one a letter at least. Only asked where a letter has been seen. */
function isCommitHash(tag: string): boolean {
  if (tag.length < 7 || tag.length > 40) return false
  for (let at = 0; at < tag.length; at++) {
    const c = tag.charCodeAt(at)
    if (!(c >= code.zero && c <= code.nine) && !(c >= code.a && c <= code.f)) return false
  }
  return true
}
