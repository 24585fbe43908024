/**
 * The tag that was given for a range a moment ago, for the client that asks again: a HEAD and the GET after it must not differ
 * because a newer tag was listed in between. Bounded twice, so that no client can keep an old tag for long. For repositories of
 * upstreams only: what is pushed here and deleted here is visible at once.
 */
import { LRUCache } from 'lru-cache'

export interface HeldAnswers {
  /**
   * What is to be given again, although `best` would be the answer now.
   * @param since ms since the epoch: when the list came from which `best` is
   */
  insteadOf(key: string, best: string, since: number): string | undefined
  give(key: string, tag: string): void
}

export interface HoldOptions {
  /** ms that an answer stays after it was last given; default 10 s. */
  holdFor?: number
  /** ms that it stays after the list that has a better one came, however often it is asked for; default 60 s. */
  longestHold?: number
  now?: () => number
}

interface Held {
  tag: string
  givenAt: number
  /** When the first list came that has a better one. */
  overtakenAt: number | undefined
}

const mostHeld = 10_000

export function createHeldAnswers(options: HoldOptions = {}): HeldAnswers {
  const { holdFor = 10_000, longestHold = 60_000, now = Date.now } = options
  const answers = new LRUCache<string, Held>({ max: mostHeld })

  // A clock that was set back must not make it last.
  const isWithin = (since: number, time: number) => now() >= since && now() - since < time

  return {
    insteadOf(key, best, since) {
      const held = answers.get(key)
      if (!held) return undefined
      held.overtakenAt = held.tag === best ? undefined : (held.overtakenAt ?? since)
      const isOver =
        !isWithin(held.givenAt, holdFor) || (held.overtakenAt !== undefined && !isWithin(held.overtakenAt, longestHold))
      if (isOver) answers.delete(key)
      return isOver || held.tag === best ? undefined : held.tag
    },
    give(key, tag) {
      const held = answers.get(key)
      if (held?.tag === tag) held.givenAt = now()
      else answers.set(key, { tag, givenAt: now(), overtakenAt: undefined })
    },
  }
}
