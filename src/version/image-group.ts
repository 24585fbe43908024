import type { Constraint } from './dialect.ts'
import { liesAbove, liesBelow, type Cut } from './image-cut.ts'
import type { Term } from './image-term.ts'
import { isAlias, isDate, isPrerelease, prereleaseOf, variantOf, type ImageVersion } from './image-version.ts'

/** What stands between two `||`: all of it holds for a tag at once. */
export interface Group {
  readonly terms: Term[]
  /** The one variant that tags must have; empty: they must have none. */
  variant: string
  /** Whether a term has a prerelease: only then prereleases come into question. */
  prereleases: boolean
  /** What its numbers are, and so the tags' must be. `undefined`: it names none (`*`), so both will do. */
  scheme: 'version' | 'date' | undefined
}

export function constraintOf(groups: readonly Group[]): Constraint<ImageVersion> {
  const at = groups.flatMap(({ terms }) => terms.flatMap(({ from, to }) => [from, to].flatMap(placeOf)))
  const kinship = (version: ImageVersion) =>
    (groups.some((group) => admits(group, version)) ? 2 : 0) + (isAlias(version) ? 0 : 1)
  return {
    has: (version) =>
      groups.some((group) => admits(group, version) && group.terms.every((term) => fits(term, version))),
    why: (version) => whyNot(groups, version),
    ...(at.length > 0 && { aim: { at, kinship } }),
  }
}

/** A version at the cut: for the floor of 23 one that is below the tag 23. */
function placeOf(cut: Cut | undefined): ImageVersion[] {
  if (cut === undefined) return []
  return cut.side === 'floor' ? [{ ...cut.at, tag: '0', prereleaseAt: 0, prereleaseTo: 1, variantAt: 1 }] : [cut.at]
}

function admits(group: Group, version: ImageVersion): boolean {
  return (
    hasVariant(version, group.variant) &&
    hasScheme(version, group.scheme) &&
    (group.prereleases || !isPrerelease(version))
  )
}

function hasVariant(version: ImageVersion, variant: string): boolean {
  return version.tag.length - version.variantAt === variant.length && version.tag.endsWith(variant)
}

const hasScheme = (version: ImageVersion, scheme: Group['scheme']): boolean =>
  scheme === undefined || isDate(version) === (scheme === 'date')

function fits({ from, to, outside }: Term, version: ImageVersion): boolean {
  if (outside) return (from !== undefined && liesBelow(version, from)) || (to !== undefined && liesAbove(version, to))
  return (from === undefined || liesAbove(version, from)) && (to === undefined || liesBelow(version, to))
}

/** Of several groups the one that the version came closest to: where its variant is right, but a number wrong. */
function whyNot(groups: readonly Group[], version: ImageVersion): string {
  const group =
    groups.find((each) => admits(each, version)) ??
    groups.find((each) => hasVariant(version, each.variant)) ??
    groups[0]
  if (group === undefined) return 'is refused by a range that asks for nothing'
  const variant = variantOf(version)
  if (!hasVariant(version, group.variant)) {
    const has = variant === '' ? 'has no variant' : `has the variant ${variant}`
    if (group.variant === '') return `${has}, and the range asks for none`
    return variant === '' ? `${has}, and the range asks for ${group.variant}` : `${has}, not ${group.variant}`
  }
  if (!hasScheme(version, group.scheme)) {
    return group.scheme === 'date'
      ? 'is a version, and the range asks for dates or build counts'
      : 'is a date or a build count, and the range asks for versions'
  }
  if (!group.prereleases && isPrerelease(version)) return 'is a prerelease, and the range asks for none'
  const term = group.terms.find((each) => !fits(each, version))
  return term === undefined ? 'fits the range' : whyOutside(term, version)
}

function whyOutside({ text, from, to, outside }: Term, version: ImageVersion): string {
  if (outside) return isAlias(version) ? `moves along a line that ${text} cuts into` : `is excluded by ${text}`
  if (from !== undefined && !liesAbove(version, from)) {
    if (isAlias(version) && isPrerelease(version)) return `moves through prereleases that begin below ${nameOf(from)}`
    return `is ${from.side === 'after' ? 'not above' : 'below'} ${nameOf(from)}`
  }
  if (to === undefined) return `does not fit ${text}`
  const beyond = `${to.side === 'after' ? 'above' : 'not below'} ${nameOf(to)}`
  return liesAbove(version, to) ? `is ${beyond}` : `moves along a line that ends ${beyond}`
}

function nameOf({ at }: Cut): string {
  const numbers = [at.first, at.second, at.third, at.fourth].filter((number) => number >= 0).join('.')
  const build = at.build < 0 ? '' : `_${at.build}`
  return isPrerelease(at) ? `${numbers}${build}-${prereleaseOf(at)}` : `${numbers}${build}`
}
