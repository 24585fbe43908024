/**
 * The freshness table: what to answer when an upstream says this and we keep that. Data, so that each cell is a test; the same
 * for tags, lists of tags and referrers. (docs/architecture.md, "Absence, failure, error")
 */
import { OciError, type Trouble, UpstreamError } from '../oci/errors.ts'

/** What the upstream's answer amounts to: it says "no such thing", it gives no answer, or it is not to be asked. */
export type Said = 'gone' | Trouble | 'offline'

/**
 * What is kept. `incomplete`: a manifest whose layers are not all here, so that a client that takes it (podman cannot fall back
 * once it has it) would be stuck if the upstream cannot be reached.
 */
export type Kept = 'complete' | 'incomplete' | 'nothing'

/** `stale`: the kept answer, with a warning. `serve`: the same without one. `policy`: as `onUpstreamGone` or `onUpstreamDenied` says. */
export type Decision = 'stale' | 'serve' | 'absent' | 'fail' | 'timeout' | 'policy'

export const freshnessTable: Record<Said, Record<Kept, Decision>> = {
  gone: { complete: 'policy', incomplete: 'policy', nothing: 'absent' },
  denied: { complete: 'policy', incomplete: 'policy', nothing: 'fail' },
  limited: { complete: 'stale', incomplete: 'stale', nothing: 'fail' },
  unreachable: { complete: 'stale', incomplete: 'timeout', nothing: 'fail' },
  wrong: { complete: 'stale', incomplete: 'stale', nothing: 'fail' },
  offline: { complete: 'serve', incomplete: 'absent', nothing: 'absent' },
}

/** `keep`: what was kept is served although the upstream no longer gives it. `follow`: the upstream's word stands. */
type Policy = 'keep' | 'follow'

export interface Policies {
  onUpstreamGone: Policy
  onUpstreamDenied: Policy
}

/** The table's cell, with the policies put in. */
export function decide(said: Said, kept: Kept, policies: Policies): Exclude<Decision, 'policy'> {
  const decision = freshnessTable[said][kept]
  if (decision !== 'policy') return decision
  if (said === 'gone') return policies.onUpstreamGone === 'keep' ? 'stale' : 'absent'
  return policies.onUpstreamDenied === 'keep' ? 'stale' : 'fail'
}

/** Which row an error stands in; an error that is no upstream's goes on as it is. */
export function saidBy(error: unknown): Trouble {
  if (error instanceof UpstreamError) return error.trouble
  throw error
}

/** One sentence for the Warning header. */
export function warningOf(upstream: string, said: Said): string {
  const reasons: Record<Said, string> = {
    gone: 'no longer has this',
    denied: 'refused the request',
    limited: 'limits its requests',
    unreachable: 'gave no answer',
    wrong: 'sent something else than what was asked for',
    offline: 'is not asked: offline mode',
  }
  return `${upstream} ${reasons[said]}; this answer is from the cache`
}

/** What a client gets that was given a manifest we cannot complete. */
export function cannotComplete(upstream: string, cause: unknown): OciError {
  const detail = `${upstream} gave no answer, and this image is not kept completely: its layers could not be served.`
  return new OciError('UPSTREAM_TIMEOUT', detail, { cause })
}
