import { parseConstraint } from './constraint.ts'
import type { Dialect } from './dialect.ts'
import { masterminds35 } from './masterminds.ts'
import { compareVersions } from './precedence.ts'
import { isVersion, readVersion, type Grammar, type SemanticVersion } from './semantic-version.ts'

const lenient: Grammar = { maxLength: masterminds35.maxVersionLength, lenient: true, emptyIdentifiers: false }

/**
 * OCIRepository.spec.ref.semver for Helm charts: `getTagBySemver` of source-controller and `ParseVersion` of fluxcd/pkg/version. A tag must have
 * two dots and is then read leniently, so `v1.2.3`, `2024.01.02` and even `3-alpine3.19.1` are versions, and `1.2` is none.
 */
export const fluxDialect: Dialect<SemanticVersion> = {
  read(tag) {
    if (!hasTwoDots(tag)) return undefined
    const version = readVersion(tag.replaceAll('_', '+'), lenient)
    return isVersion(version) ? version : undefined
  },
  compare: compareVersions,
  parse: (range) => parseConstraint(range, masterminds35),
  whyUnread(tag) {
    if (!hasTwoDots(tag)) return 'it has fewer than two dots'
    const version = readVersion(tag.replaceAll('_', '+'), lenient)
    return isVersion(version) ? '' : version.defect
  },
}

function hasTwoDots(tag: string): boolean {
  const first = tag.indexOf('.')
  return first !== -1 && tag.includes('.', first + 1)
}
