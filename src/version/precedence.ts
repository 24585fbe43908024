import { code, digitsEnd, type Uint64 } from './uint64.ts'
import type { SemanticVersion } from './semantic-version.ts'

/** Of semver.org, section 11: builds do not count, so two different tags may be equal. */
export function compareVersions(a: SemanticVersion, b: SemanticVersion): number {
  return (
    compareNumbers(a.major, b.major) ||
    compareNumbers(a.minor, b.minor) ||
    compareNumbers(a.patch, b.patch) ||
    comparePrereleases(a.prerelease, b.prerelease)
  )
}

export function compareNumbers(a: Uint64, b: Uint64): number {
  if (a < b) return -1
  return a > b ? 1 : 0
}

/** A release is above its prereleases. Only the first identifier that differs decides, so nothing is split and nothing copied before it. */
function comparePrereleases(a: string, b: string): number {
  if (a === b) return 0
  if (a === '') return 1
  if (b === '') return -1
  let differs = 0
  while (a.charCodeAt(differs) === b.charCodeAt(differs)) differs++
  const start = differs === 0 ? 0 : a.lastIndexOf('.', differs - 1) + 1
  const order = compareIdentifiers(a.slice(start, identifierEnd(a, differs)), b.slice(start, identifierEnd(b, differs)))
  // The same identifier, and one of them goes on: the longer is the higher.
  return order === 0 ? a.length - b.length : order
}

function identifierEnd(prerelease: string, from: number): number {
  const dot = prerelease.indexOf('.', from)
  return dot === -1 ? prerelease.length : dot
}

/** Numbers are below words. As Masterminds has it, digits that pass 64 bits are a word. */
function compareIdentifiers(a: string, b: string): number {
  if (a === b) return 0
  const aIsNumber = isNumber(a)
  if (aIsNumber !== isNumber(b)) return aIsNumber ? -1 : 1
  if (aIsNumber && a.length !== b.length) return a.length - b.length
  return a < b ? -1 : 1
}

const maxUint64 = '18446744073709551615'

function isNumber(identifier: string): boolean {
  const first = identifier.charCodeAt(0)
  if (first < code.zero || first > code.nine || digitsEnd(identifier, 0) !== identifier.length) return false
  return identifier.length < maxUint64.length || (identifier.length === maxUint64.length && identifier <= maxUint64)
}
