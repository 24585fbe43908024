/**
 * All that a download shows of itself: a count of bytes and how it stands. Receiving, hashing and writing can therefore move to
 * a worker thread without a reader noticing.
 */

type State =
  | { at: 'arriving' }
  /** Size and digest match: every byte may be read. */
  | { at: 'verified' }
  /** There is no room to write more: each reader goes on by itself. */
  | { at: 'without-room' }
  | { at: 'failed'; error: unknown }

export interface Progress {
  /** Bytes of the whole blob; `undefined` until the end where the upstream does not say. */
  size: number | undefined
  readonly written: number
  readonly state: State
  advance(written: number): void
  become(state: State): void
  /** Settles at the next change. */
  changed(): Promise<void>
}

/** Bytes that no reader gets before size and digest are verified, so that a wrong body is never a complete one. */
export const withheld = 64 * 1024

/** How far a reader may read. A closed range keeps back its own last byte, or it could end complete and unverified. */
export function readableTo(progress: Progress, closedEnd: number | undefined): number {
  if (progress.state.at === 'verified') return progress.written
  const shown = Math.max(0, progress.written - withheld)
  return closedEnd === undefined ? shown : Math.min(shown, closedEnd - 1)
}

export function createProgress(size: number | undefined, written = 0): Progress {
  let state: State = { at: 'arriving' }
  let next = Promise.withResolvers<void>()

  function wake(): void {
    const woken = next
    next = Promise.withResolvers<void>()
    woken.resolve()
  }

  return {
    size,
    get written() {
      return written
    },
    get state() {
      return state
    },
    advance(bytes) {
      written = bytes
      wake()
    },
    become(to) {
      state = to
      wake()
    },
    changed: () => next.promise,
  }
}
