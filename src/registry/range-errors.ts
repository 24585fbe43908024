/** What is told of a range that cannot be read, or that nothing matches; with our own codes, or in those that clients know. */
import { type ErrorCode, OciError } from '../oci/errors.ts'
import type { Resolution } from '../repository/resolve.ts'
import { InvalidRangeError } from '../version/invalid-range.ts'
import type { Loser } from '../version/explain.ts'
import { type Profile, profiles } from '../version/profile.ts'

/** An {@link InvalidRangeError} as RANGE_INVALID 400; every other error as it is. */
export function rangeError(error: unknown): unknown {
  if (!(error instanceof InvalidRangeError)) return error
  const { message, range, position } = error
  return new OciError('RANGE_INVALID', message, { status: 400, cause: error, facts: { range, position } })
}

export function noRange(): OciError {
  return new OciError('RANGE_INVALID', 'The query names no range: add range=, such as range=^1.2 (percent-encoded).', {
    status: 400,
  })
}

export function unknownProfile(text: string): OciError {
  const sentence = `There is no profile ${JSON.stringify(text)}: it is one of ${profiles.join(', ')}.`
  return new OciError('RANGE_INVALID', sentence, { status: 400, facts: { profiles } })
}

/** Why tags lost; of a list of any size, how many are not named. */
export interface Explained {
  losers: readonly Loser[]
  losersLeftOut?: number
}

/** RANGE_UNSATISFIED 404, with the nearest tags, and why each lost where somebody asked for that. */
export function unsatisfied(
  name: string,
  { range, profile, listing, nearest }: Resolution,
  explained: Partial<Explained> = {},
): OciError {
  const near = nearest()
  const sentences = [
    `No tag of ${name} matches ${JSON.stringify(range)} by the rules of ${profile}${among(listing.among)}.`,
    ...(near.length > 0 ? [`The nearest: ${near.join(', ')}.`] : []),
  ]
  return new OciError('RANGE_UNSATISFIED', sentences.join(' '), {
    facts: { range, profile, nearest: near, ...explained },
  })
}

/** RANGE_UNSATISFIED 404: what matches is listed and does not exist. */
export function gone(name: string, { range, profile, tag, without = [] }: Resolution & { tag: string }): OciError {
  const tried = [...without, tag].join(', ')
  const sentence = `What of ${name} matches ${JSON.stringify(range)} best is listed and gone: ${tried}.`
  return new OciError('RANGE_UNSATISFIED', sentence, { facts: { range, profile, nearest: [] } })
}

/** A tag that does not exist, and whose spelling is a range that this profile cannot read. */
export function absentAndInvalid(tag: string, profile: Profile, error: unknown): unknown {
  if (!(error instanceof InvalidRangeError)) return error
  const { message, range, position } = error
  const sentence = `There is no manifest ${JSON.stringify(tag)} in this repository, and it is no range by the rules of ${profile}: ${message}`
  const facts = { code: 'RANGE_INVALID', range, position }
  return new OciError('MANIFEST_UNKNOWN', sentence, { cause: error, facts })
}

const distributionCodes: Partial<Record<ErrorCode, ErrorCode>> = {
  RANGE_INVALID: 'MANIFEST_INVALID',
  RANGE_UNSATISFIED: 'MANIFEST_UNKNOWN',
}

/** Clients know the distribution spec's codes; ours is the `code` of `detail`. */
export function inDistributionCodes(error: unknown): unknown {
  const code = error instanceof OciError ? distributionCodes[error.code] : undefined
  if (!(error instanceof OciError) || code === undefined) return error
  const { status, cause, facts } = error
  return new OciError(code, error.detail, { status, cause, facts: { code: error.code, ...facts } })
}

function among(limit: string | undefined): string {
  return limit === undefined ? '' : ` among ${limit}`
}
