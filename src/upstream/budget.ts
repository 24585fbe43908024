/** What one upstream is asked to bear: attempts, retries, requests at a time, pauses; a stuck class of request never delays another. */
import { setTimeout as sleep } from 'node:timers/promises'
import { UpstreamError } from '../oci/errors.ts'
import { type Breaker, type BreakerOptions, createBreaker } from './breaker.ts'
import { inSeconds, isWorthRetrying, timedOut } from './failure.ts'
import { createSlots, type Slots } from './slots.ts'

export type RequestClass = 'manifests' | 'heads' | 'lists' | 'blobs'

export interface BudgetOptions extends Omit<BreakerOptions, 'now'> {
  /** Requests of one class at a time; default 8. */
  concurrency?: number
  /** Attempts a call, the first included; default 4. */
  attempts?: number
  /** ms before the second attempt at most, doubled each time up to `longestDelay`; defaults 500 and 30,000. The delay is random below that. */
  delay?: number
  longestDelay?: number
  /** Retries for each first attempt in the long run, and how many may come at once; defaults 0.1 and 10. */
  retryRatio?: number
  retryReserve?: number
  /** ms for a call that sets no `within`; default 20,000. */
  within?: number
  /** Monotonic ms. */
  now?: () => number
  /** 0 to 1. */
  random?: () => number
}

export interface Budget {
  /**
   * Runs `attempt` until it settles well, fails for good, or `within` ms have passed. The controller's signal aborts the call;
   * once the call has settled nothing but its owner aborts it, so that a transfer can outlive the deadline of its headers.
   * @throws what the last attempt threw, or UpstreamError UPSTREAM_TIMEOUT
   */
  spend<T>(
    kind: RequestClass,
    options: { within?: number; signal?: AbortSignal },
    attempt: (controller: AbortController) => Promise<T>,
  ): Promise<T>
}

interface Lane {
  slots: Slots
  breaker: Breaker
}

export function createBudget(options: BudgetOptions): Budget {
  const { upstream, concurrency = 8, attempts = 4, delay = 500, longestDelay = 30_000 } = options
  const { within: usual = 20_000, now = () => performance.now(), random = Math.random } = options
  const createLane = (): Lane => ({ slots: createSlots(concurrency), breaker: createBreaker({ ...options, now }) })
  const lanes = { manifests: createLane(), heads: createLane(), lists: createLane(), blobs: createLane() }
  const retries = createRetryTokens(options.retryRatio ?? 0.1, options.retryReserve ?? 10)

  const delayAfter = (error: unknown, tried: number): number => {
    const jittered = random() * Math.min(longestDelay, delay * 2 ** (tried - 1))
    const asked = error instanceof UpstreamError ? (error.retryAfter ?? 0) * 1000 : 0
    return Math.max(jittered, asked)
  }

  return {
    async spend(kind, { within = usual, signal }, attempt) {
      const lane = lanes[kind]
      const call = startCall(upstream, within, signal)
      const deadline = now() + within
      retries.deposit()
      let last: unknown
      try {
        for (let tried = 1; ; tried += 1) {
          const release = await enter(lane, call.controller.signal, last)
          try {
            const result = await attempt(call.controller)
            lane.breaker.succeeded()
            return result
          } catch (error) {
            lane.breaker.failed(error)
            last = error
          } finally {
            release()
          }
          const pause = delayAfter(last, tried)
          const mayRetry = tried < attempts && isWorthRetrying(last) && now() + pause < deadline
          if (!mayRetry || !retries.withdraw()) throw last
          await rest(pause, call.controller.signal)
        }
      } finally {
        call.end()
      }
    },
  }
}

/** An open breaker or a pause ends the retries of a call with what its last attempt had met. */
async function enter({ slots, breaker }: Lane, signal: AbortSignal, last: unknown): Promise<() => void> {
  let release: (() => void) | undefined
  try {
    release = await slots.take(signal)
    breaker.admit()
    return release
  } catch (error) {
    release?.()
    throw last ?? error
  }
}

function startCall(upstream: string, within: number, signal: AbortSignal | undefined) {
  const controller = new AbortController()
  const abort = () => controller.abort(signal?.reason)
  const expire = () => controller.abort(timedOut(upstream, `${upstream} did not answer within ${inSeconds(within)}.`))
  const timer = setTimeout(expire, within)
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted === true) abort()
  return {
    controller,
    end() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    },
  }
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch {
    throw signal.reason
  }
}

/** Keeps retries from multiplying the load on an upstream that is already in trouble. */
function createRetryTokens(ratio: number, reserve: number) {
  let tokens = reserve
  return {
    deposit() {
      tokens = Math.min(reserve, tokens + ratio)
    },
    withdraw(): boolean {
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}
