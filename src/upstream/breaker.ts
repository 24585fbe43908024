/** Whether an upstream is worth asking at all: a circuit breaker for failures and a pause for rate limits. */
import { UpstreamError } from '../oci/errors.ts'

export interface BreakerOptions {
  upstream: string
  /** Failures in a row that open the breaker; default 5. */
  failures?: number
  /** ms that it stays open at first, doubled by each failed probe up to `longestOpen`; defaults 10,000 and 60,000. */
  open?: number
  longestOpen?: number
  /** ms of a pause where a 429 names no time, and the longest that is honoured; defaults 60,000 and 900,000. */
  pause?: number
  longestPause?: number
  /** Monotonic ms. */
  now: () => number
}

export interface Breaker {
  /**
   * Asks leave for one attempt, which may be the one probe of an open breaker whose time has passed; `succeeded` or `failed`
   * must follow. @throws UpstreamError at once while paused (`limited`) or open (`unreachable`)
   */
  admit(): void
  /** Upstream answered, whatever it said. */
  succeeded(): void
  /**
   * The attempt failed with this; only `unreachable` and `limited` change anything. A registry that says in its own words that it cannot
   * answer is there: that is about what was asked for, and other names may do (a registry that is a proxy itself has many upstreams).
   */
  failed(error: unknown): void
}

export function createBreaker(options: BreakerOptions): Breaker {
  const { upstream, failures = 5, open = 10_000, longestOpen = 60_000, now } = options
  const { pause = 60_000, longestPause = 900_000 } = options
  let inRow = 0
  let openFor = open
  let openUntil: number | undefined
  let isProbing = false
  let pausedUntil = 0

  const close = () => {
    inRow = 0
    openFor = open
    openUntil = undefined
    isProbing = false
  }
  const trip = () => {
    openUntil = now() + openFor
    openFor = Math.min(openFor * 2, longestOpen)
    isProbing = false
  }

  return {
    admit() {
      if (now() < pausedUntil) throw pausedError(upstream, secondsUntil(pausedUntil, now()))
      if (openUntil === undefined) return
      if (isProbing || now() < openUntil) throw openError(upstream, secondsUntil(openUntil, now()))
      isProbing = true
    },
    succeeded: close,
    failed(error) {
      if (!(error instanceof UpstreamError)) {
        isProbing = false
        return
      }
      if (error.trouble === 'limited') {
        const asked = error.retryAfter === undefined ? pause : error.retryAfter * 1000
        pausedUntil = Math.max(pausedUntil, now() + Math.min(asked, longestPause))
      }
      if (error.trouble !== 'unreachable' || error.isRegistrys) return close()
      inRow += 1
      // A straggler from before the breaker opened says nothing new.
      if (isProbing || (openUntil === undefined && inRow >= failures)) trip()
    },
  }
}

function secondsUntil(time: number, now: number): number {
  return Math.max(1, Math.ceil((time - now) / 1000))
}

function pausedError(upstream: string, retryAfter: number): UpstreamError {
  const detail = `${upstream} limits our rate of requests; it is asked again in ${retryAfter} s.`
  return new UpstreamError(upstream, 'limited', 'TOOMANYREQUESTS', detail, { retryAfter })
}

function openError(upstream: string, retryAfter: number): UpstreamError {
  const detail = `${upstream} gave no registry's answer to the last requests; it is asked again in ${retryAfter} s.`
  return new UpstreamError(upstream, 'unreachable', 'UNAVAILABLE', detail, { retryAfter })
}
