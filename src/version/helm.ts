import { parseConstraint } from './constraint.ts'
import type { Dialect, Settled } from './dialect.ts'
import { masterminds35, type Masterminds } from './masterminds.ts'
import { compareVersions } from './precedence.ts'
import { isVersion, readVersion, type Grammar, type SemanticVersion } from './semantic-version.ts'

/** Helm 3.19 and later, and Helm 4: `helm pull --version`, `ValidateReference` and `GetTagMatchingVersionOrConstraint` of its pkg/registry. */
export const helmDialect: Dialect<SemanticVersion> = helm(masterminds35)

/**
 * Tags are read strictly, `_` standing for the `+` that a tag cannot have, and a range that is itself a version, if a partial one, is a tag.
 * Its search for a tag that is equal to the range finds nothing more since 3.4, so it is left to helm-legacy.
 */
export function helm(masterminds: Masterminds): Dialect<SemanticVersion> {
  const { maxVersionLength: maxLength, emptyIdentifiers } = masterminds
  const strict: Grammar = { maxLength, lenient: false, emptyIdentifiers }
  const lenient: Grammar = { maxLength, lenient: true, emptyIdentifiers: false }
  const readTag = (tag: string) => readVersion(tag.replaceAll('_', '+'), strict)
  const whyUnread = (tag: string): string => {
    const version = readTag(tag)
    return isVersion(version) ? '' : version.defect
  }
  return {
    read(tag) {
      const version = readTag(tag)
      return isVersion(version) ? version : undefined
    },
    compare: compareVersions,
    parse: (range) => parseConstraint(range === '' ? '*' : range, masterminds),
    whyUnread,
    settle(range, tags) {
      if (isVersion(readVersion(range, lenient))) return asWritten(range, tags)
      if (tags.some((tag) => isVersion(readTag(tag)))) return undefined
      // Helm has not looked at the range yet: even one that cannot be read only finds no tag.
      return { tag: undefined, why: (tag) => `is no version: ${whyUnread(tag)}` }
    },
  }
}

/** The tag that a version is pulled by, `+` spelled `_`. */
export function asWritten(version: string, tags: readonly string[]): Settled {
  const wanted = version.replaceAll('+', '_')
  return {
    tag: tags.includes(wanted) ? wanted : undefined,
    why: () => `is not ${wanted}, and a version in full or in part is taken as it is written`,
  }
}
