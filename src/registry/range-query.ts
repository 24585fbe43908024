/** `range=` and `profile=`: the same in every query that takes them. */
import { readRange } from '../repository/ranges.ts'
import type { RangeRules } from '../repository/range-rules.ts'
import type { Asked } from '../repository/resolve.ts'
import { type Profile, profiles } from '../version/profile.ts'
import { unknownProfile } from './range-errors.ts'

/**
 * The range that a query names, in either spelling; `undefined` where it names none. An empty one is one: to Helm it is `*`.
 * @throws OciError RANGE_INVALID 400 for a profile that there is not
 */
export function askedBy(query: URLSearchParams, rules: RangeRules): Asked | undefined {
  const text = query.get('range')
  return text === null ? undefined : { range: readRange(text), profile: profileOf(query, rules) }
}

/** @throws OciError RANGE_INVALID 400 */
export function profileOf(query: URLSearchParams, rules: RangeRules): Profile {
  const text = query.get('profile')
  if (text === null) return rules.profile
  const profile = profiles.find((known) => known === text)
  if (profile === undefined) throw unknownProfile(text)
  return profile
}
