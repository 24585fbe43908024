import { parseConstraint } from './constraint.ts'
import type { Dialect } from './dialect.ts'
import { masterminds34 } from './masterminds.ts'
import { compareVersions } from './precedence.ts'
import { isVersion, readVersion, type Grammar, type SemanticVersion } from './semantic-version.ts'

const lenient: Grammar = { maxLength: masterminds34.maxVersionLength, lenient: true, emptyIdentifiers: false }

const readTag = (tag: string) => readVersion(tag.replaceAll('_', '+'), lenient)

/** Argo CD's `targetRevision` of an OCI source: `resolveRevision` of its util/oci and `MaxVersion` of its util/versions. */
export const argoDialect: Dialect<SemanticVersion> = {
  read(tag) {
    const version = readTag(tag)
    return isVersion(version) ? version : undefined
  },
  compare: compareVersions,
  parse: (range) => parseConstraint(range, masterminds34),
  whyUnread(tag) {
    const version = readTag(tag)
    return isVersion(version) ? '' : version.defect
  },
  settle(range, tags) {
    if (tags.includes(range))
      return { tag: range, why: () => `is not ${range}, and a tag that exists is taken as it is` }
    if (isVersion(readVersion(range, lenient))) return { tag: undefined, why: () => `is not ${range}` }
    argoDialect.parse(range)
    const spoiler = tags.find(spoilsList)
    if (spoiler === undefined) return undefined
    const why = `is in a list that Argo CD gives up on, because ${spoiler} looks like a version and is none`
    return { tag: undefined, why: () => why }
  },
  // With the + of its version, which no tag can have: a chart with a build is found and then not there.
  asks: (tag) => tag.replaceAll('_', '+'),
}

function spoilsList(tag: string): boolean {
  const version = readTag(tag)
  return !isVersion(version) && version.shaped
}
