/** bcrypt, with bounds: hashing takes the time that it is meant to take, off the main thread, and the wait for it is fair. */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { hashSync, truncates } from 'bcryptjs'
import { OciError } from '../../oci/errors.ts'
import { usualCost } from './htpasswd.ts'

export interface Comparison {
  password: string
  hash: string
  /** What a wrong password costs, where that is more than the hash does: the time must not tell whose hash it was. */
  cost: number
}

export interface Comparer {
  /**
   * @param from who waits: all who wait get their turns in circles, however many comparisons one of them asks for
   * @throws OciError TOOMANYREQUESTS where too many wait already; of all, those that wait for the one with the most go first
   */
  compare(comparison: Comparison, from: string): Promise<boolean>
  close(): Promise<void>
}

export interface ComparerOptions {
  /** Comparisons that may wait, of one and in all; default 16 and 256. */
  mostOfOne?: number
  most?: number
}

interface Waiting {
  comparison: Comparison
  settle: (equal: boolean) => void
  fail: (error: unknown) => void
}

/** The thread is started by the first comparison, and anew after it failed. */
export function createComparer({ mostOfOne = 16, most = 256 }: ComparerOptions = {}): Comparer {
  /** Its order is the order of turns. */
  const queues = new Map<string, Waiting[]>()
  let worker: Worker | undefined
  let running: Waiting | undefined

  function next(): void {
    const [turn] = queues
    if (running || !turn) return
    const [from, [first, ...others]] = turn
    queues.delete(from)
    if (others.length > 0) queues.set(from, others)
    running = first
    worker ??= startWorker()
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    if (first) worker.postMessage(first.comparison)
  }

  /** @returns false where nobody waits for more than one with `length` would */
  function makeWay(length: number): boolean {
    const [longest = []] = [...queues.values()].toSorted((one, other) => other.length - one.length)
    if (longest.length <= length + 1) return false
    longest.pop()?.fail(tooMany())
    return true
  }

  function startWorker(): Worker {
    const started = new Worker(new URL(`./bcrypt-worker${extname(import.meta.filename)}`, import.meta.url))
    started.unref()
    started.on('message', (equal: boolean) => finish((waiting) => waiting.settle(equal)))
    const ended = (cause: unknown) => {
      if (worker !== started) return
      worker = undefined
      finish((waiting) => waiting.fail(new Error('the thread that compares passwords has ended', { cause })))
    }
    started.on('error', ended)
    started.on('exit', ended)
    return started
  }

  function finish(tell: (waiting: Waiting) => void): void {
    const waiting = running
    running = undefined
    if (waiting) tell(waiting)
    next()
  }

  return {
    compare(comparison, from) {
      const queue = queues.get(from) ?? []
      const inAll = queues.values().reduce((sum, { length }) => sum + length, 0)
      if (queue.length >= mostOfOne || (inAll >= most && !makeWay(queue.length))) return Promise.reject(tooMany())
      return new Promise((settle, fail) => {
        queues.set(from, [...queue, { comparison, settle, fail }])
        next()
      })
    },
    async close() {
      const left = [...(running ? [running] : []), ...queues.values().flatMap((queue) => queue)]
      queues.clear()
      running = undefined
      const last = worker
      worker = undefined
      for (const { fail } of left) fail(new OciError('UNAVAILABLE', 'The daemon is stopping.'))
      await last?.terminate()
    },
  }
}

export function tooMany(): OciError {
  return new OciError('TOOMANYREQUESTS', 'Too many sign in at once: try again in a moment.', { retryAfter: 1 })
}

/** bcrypt reads no more than 72 bytes: of two longer passwords each would open what the other does. */
export function isTooLong(password: string): boolean {
  return truncates(password)
}

/** A line of an htpasswd file. `$2y$` says the same as `$2b$`, and is what htpasswd itself writes. */
export function htpasswdLine(user: string, password: string): string {
  return `${user}:${hashSync(password, usualCost).replace(/^\$2b\$/, '$2y$')}`
}
