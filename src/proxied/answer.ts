/**
 * One question that an upstream can answer anew: what a tag means, which tags there are, what refers to a digest. Fresh answers
 * cost no call; a stale one costs one call, however many clients wait; and no client waits longer than the deadline for what is
 * kept anyway.
 */
import { type ErrorCode, OciError, UpstreamError } from '../oci/errors.ts'
import type { Freshness } from '../repository/repository.ts'
import {
  cannotComplete,
  decide,
  freshnessTable,
  type Kept,
  type Policies,
  type Said,
  saidBy,
  warningOf,
} from './freshness.ts'

export interface KeptAnswer<T> {
  value: T
  /** ms since the epoch. */
  checkedAt: number
  /** Whether all that the answer leads to is kept. */
  isComplete: () => Promise<boolean>
}

export interface Question<T> {
  /** Equal for the same question: it joins askers, and remembers failures. */
  key: string
  kept: () => Promise<KeptAnswer<T> | undefined>
  /** ms; infinite for what never changes. */
  freshFor: number
  /** Asks the upstream and keeps what it says. `undefined` = it says there is no such thing. */
  ask: (kept: KeptAnswer<T> | undefined) => Promise<{ value: T; changed: boolean } | undefined>
  /** ms that "no such thing" is remembered; default 10 s. */
  absentFor?: number
  /** The code of the 404 that says "not kept, and nobody is asked". */
  unknown: ErrorCode
}

export type Answer<T> = (question: Question<T>) => Promise<({ value: T } & Freshness) | undefined>

export interface AnswerOptions extends Policies {
  upstream: { readonly name: string }
  offline: boolean
  /** ms that a client waits for the upstream where something is kept; default 3 s. */
  deadline?: number
  /** ms that a failed question is not asked again; default 10 s. */
  restAfterFailure?: number
  /** Told of each attempt that failed where something is kept: clients see success, and the operator would see nothing. */
  warn: (message: string, error: unknown) => void
  now?: () => number
}

const notKept = 'Not kept here, or not completely, and in offline mode no upstream is asked.'

/** Why a question is not asked again for a while: it failed, or without an error there is no such thing. */
interface Rest {
  since: number
  time: number
  error: unknown
}

/** The most questions whose failure or absence is remembered; the oldest go first. */
const mostRemembered = 10_000

export function createAnswer<T>(options: AnswerOptions): Answer<T> {
  const upstream = options.upstream.name
  const { deadline = 3_000, restAfterFailure = 10_000, now = Date.now } = options
  const asking = new Map<string, ReturnType<Question<T>['ask']>>()
  const rests = new Map<string, Rest>()
  let ended = 0

  return async function answer(question: Question<T>) {
    const kept = await latest(question)
    if (options.offline) return settle(question, kept, 'offline', undefined)
    if (kept && isFresh(kept, question.freshFor)) return { value: kept.value, cache: 'hit', age: ageOf(kept) }
    const resting = restOf(question.key)
    if (resting && (await isEnough(resting, kept))) return settle(question, kept, saidAt(resting), resting.error)
    const joined = asking.has(question.key)
    try {
      const told = await (kept ? withinDeadline(question.key, ask(question, kept)) : ask(question, kept))
      if (!told) return await settle(question, kept, 'gone', undefined)
      if (!told.changed) return { value: told.value, cache: 'hit', age: 0 }
      return { value: told.value, cache: joined ? 'joined' : 'miss' }
    } catch (error) {
      return await settle(question, kept, saidBy(error), error)
    }
  }

  // An answer that came in while we looked may have been kept just after: look again, or it would be asked for twice.
  async function latest(question: Question<T>): Promise<KeptAnswer<T> | undefined> {
    for (;;) {
      const before = ended
      const kept = await question.kept()
      if (ended === before || asking.has(question.key) || (kept && isFresh(kept, question.freshFor))) return kept
    }
  }

  function ask(question: Question<T>, kept: KeptAnswer<T> | undefined) {
    const running = asking.get(question.key)
    if (running) return running
    const started = question.ask(kept)
    asking.set(question.key, started)
    void started
      .then(
        (told) => (told ? rests.delete(question.key) : rest(question.key, undefined, question.absentFor ?? 10_000)),
        (error: unknown) => kept && restAfter(question.key, error),
      )
      .finally(() => {
        ended += 1
        asking.delete(question.key)
      })
    return started
  }

  // The question goes on being asked; only this client's wait ends, and for a while nobody else begins to wait.
  function withinDeadline<A>(key: string, asked: Promise<A>): Promise<A> {
    const { promise, resolve, reject } = Promise.withResolvers<A>()
    const timer = setTimeout(() => {
      const detail = `${upstream} did not answer within ${deadline / 1000} s.`
      const error = new UpstreamError(upstream, 'unreachable', 'UPSTREAM_TIMEOUT', detail)
      rest(key, error, restAfterFailure)
      reject(error)
    }, deadline)
    void asked.then(resolve, reject).finally(() => clearTimeout(timer))
    return promise
  }

  function restAfter(key: string, error: unknown): void {
    options.warn(`no answer from ${upstream} about what is kept: ${key}`, error)
    rest(key, error, restAfterFailure)
  }

  function rest(key: string, error: unknown, time: number): void {
    rests.delete(key)
    rests.set(key, { since: now(), time, error })
    const [oldest] = rests.keys()
    if (rests.size > mostRemembered && oldest !== undefined) rests.delete(oldest)
  }

  // A clock that was set back must not make it last.
  function restOf(key: string): Rest | undefined {
    const found = rests.get(key)
    if (!found) return undefined
    const age = now() - found.since
    return age >= 0 && age < found.time ? found : undefined
  }

  // Only an attempt of its own may deny a client what is kept but incomplete (docs/architecture.md, the freshness table).
  async function isEnough(rested: Rest, kept: KeptAnswer<T> | undefined): Promise<boolean> {
    return !kept || freshnessTable[saidAt(rested)].incomplete !== 'timeout' || (await kept.isComplete())
  }

  async function settle(question: Question<T>, kept: KeptAnswer<T> | undefined, said: Said, error: unknown) {
    const state: Kept = !kept ? 'nothing' : (await kept.isComplete()) ? 'complete' : 'incomplete'
    const decision = decide(said, state, options)
    if (kept && decision === 'serve') return { value: kept.value, cache: 'hit', age: ageOf(kept) } as const
    if (kept && decision === 'stale') {
      return { value: kept.value, cache: 'stale', age: ageOf(kept), warning: warningOf(upstream, said) } as const
    }
    if (decision === 'absent' && said === 'offline') throw new OciError(question.unknown, notKept)
    if (decision === 'absent') return undefined
    if (decision === 'timeout') throw cannotComplete(upstream, error)
    throw error instanceof Error ? error : new OciError('INTERNAL', `No answer about ${question.key}.`)
  }

  // A clock that was set back must not make an answer fresh for ever.
  function isFresh(kept: KeptAnswer<unknown>, freshFor: number): boolean {
    const age = now() - kept.checkedAt
    return freshFor === Number.POSITIVE_INFINITY || (age >= 0 && age < freshFor)
  }

  function ageOf(kept: KeptAnswer<unknown>): number {
    return Math.max(0, Math.floor((now() - kept.checkedAt) / 1000))
  }
}

function saidAt(rest: Rest): Said {
  return rest.error === undefined ? 'gone' : saidBy(rest.error)
}
