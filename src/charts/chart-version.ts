/** Versions and ranges as Helm reads those of an index: `v1.2` is a version, and a range admits no prerelease that it does not ask for. */
import { parseConstraint } from '../version/constraint.ts'
import { masterminds35 } from '../version/masterminds.ts'
import { isVersion, readVersion } from '../version/semantic-version.ts'

const grammar = { maxLength: masterminds35.maxVersionLength, lenient: true, emptyIdentifiers: false }

/** Whether Helm takes it for a version at all. */
export function isChartVersion(text: string): boolean {
  return isVersion(readVersion(text, grammar))
}

/** What is no version is in no range. @throws InvalidRangeError */
export function versionsIn(range: string): (version: string) => boolean {
  const constraint = parseConstraint(range === '' ? '*' : range, masterminds35)
  return (version) => {
    const read = readVersion(version, grammar)
    return isVersion(read) && constraint.has(read)
  }
}
