import { comparePrereleases } from './image-prerelease.ts'
import type { Uint64 } from './uint64.ts'
import { isAlias, isPrerelease, prereleaseOf, type ImageVersion } from './image-version.ts'

/** A place between versions: `before` or `after` the version `at`, or its `floor`, which lies below all its prereleases too. */
export interface Cut {
  readonly at: ImageVersion
  readonly side: 'floor' | 'before' | 'after'
}

/** Whether all that the tag may stand for lies above the cut: of an alias, the first of its line too. */
export function liesAbove(version: ImageVersion, cut: Cut): boolean {
  return isPrerelease(version) && isAlias(version) ? prereleasesLieAbove(version, cut) : !isBelow(version, cut)
}

/** Whether all that the tag may stand for lies below the cut: of an alias, the newest of its line too. */
export function liesBelow(version: ImageVersion, cut: Cut): boolean {
  if (!isAlias(version)) return isBelow(version, cut)
  if (isPrerelease(version)) return releaseLiesBelow(version, cut)
  return lineLiesBelow(version, cut.at)
}

function isBelow(version: ImageVersion, cut: Cut): boolean {
  const order = compareNumbers(version, cut.at)
  if (order !== 0) return order < 0
  if (cut.side === 'floor') return false
  const prereleases = comparePrereleases(version, cut.at)
  return prereleases === 0 ? cut.side === 'after' : prereleases < 0
}

/** `3.14-rc` has been an alpha in its time. It is above a cut below all the prereleases of 3.14.0, and above one that names it. */
function prereleasesLieAbove(version: ImageVersion, cut: Cut): boolean {
  const order = compareNumbers(version, cut.at)
  if (order !== 0) return order > 0
  if (cut.side === 'floor' || prereleaseOf(cut.at) === '0') return true
  return cut.side === 'before' && comparePrereleases(version, cut.at) === 0
}

/** `3.14-rc` moves through the prereleases of 3.14.0: they are below a cut when 3.14.0 is not above it. */
function releaseLiesBelow(version: ImageVersion, cut: Cut): boolean {
  const order = compareNumbers(version, cut.at)
  if (order !== 0) return order < 0
  return cut.side !== 'floor' && !isPrerelease(cut.at)
}

/** `22.9` moves through 22.9.0, 22.9.1, ...: they are below a cut when its first two numbers are higher. */
function lineLiesBelow(alias: ImageVersion, at: ImageVersion): boolean {
  const order = compare(alias.first, at.first)
  if (order !== 0 || alias.second < 0) return order < 0
  return alias.second < atLeast0(at.second)
}

/** As points: a number that is not given is 0. */
function compareNumbers(a: ImageVersion, b: ImageVersion): number {
  return (
    compare(a.first, b.first) ||
    compare(atLeast0(a.second), atLeast0(b.second)) ||
    compare(atLeast0(a.third), atLeast0(b.third)) ||
    compare(atLeast0(a.fourth), atLeast0(b.fourth)) ||
    compare(atLeast0(a.build), atLeast0(b.build))
  )
}

const atLeast0 = (number: Uint64): Uint64 => (number < 0 ? 0 : number)

function compare(a: Uint64, b: Uint64): number {
  if (a < b) return -1
  return a > b ? 1 : 0
}
