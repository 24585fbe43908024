/**
 * Whether credentials are right. What was found right is remembered for a moment, since clients send it with every request; what is
 * wrong is answered late, and at times that say nothing about why it is wrong.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Credentials } from './basic.ts'
import { type Comparer, isTooLong, tooMany } from './bcrypt.ts'
import type { UsersFile } from './users.ts'

export interface SignInOptions {
  users: Pick<UsersFile, 'hashFor'>
  comparer: Pick<Comparer, 'compare'>
  /** ms that right credentials are remembered after their last use, while their line in the file stays as it is; default 60,000. */
  rememberFor?: number
  /** ms after which a wrong answer comes; each further one of the same address within a minute takes twice as long, up to eight times. Default 500. */
  delay?: number
  /** Requests of one address that may wait for a comparison or for a late answer; default 64. */
  mostOfOne?: number
  warn: (message: string, fields: Record<string, unknown>) => void
  /** ms between two warnings about wrong credentials; default 10,000. */
  warnEvery?: number
}

export interface SignIn {
  /** @param from the address of the client @throws OciError TOOMANYREQUESTS */
  isRight(credentials: Credentials, from: string): Promise<boolean>
  /** Wrong credentials since the start. */
  failures(): number
  /** Tells of those that no warning has told of yet. */
  close(): void
}

const failuresCountFor = 60_000
const mostAddresses = 10_000
const longestDelay = 8

export function createSignIn(options: SignInOptions): SignIn {
  const { users, comparer, rememberFor = 60_000, delay = 500, mostOfOne = 64 } = options
  const key = randomBytes(32)
  const right = new LRUCache<string, true>({ max: 10_000, ttl: rememberFor, updateAgeOnGet: true })
  const asking = new Map<string, Promise<boolean>>()
  /** Requests that wait, by address. */
  const waitingOf = new Map<string, number>()
  const wrongOf = new LRUCache<string, number>({ max: mostAddresses, ttl: failuresCountFor })
  const report = createReport(options)

  /** Whoever can read this process's memory later finds no password in it. */
  function fingerprint({ user, password }: Credentials, hash: string): string {
    return createHmac('sha256', key)
      .update(JSON.stringify([user, password, hash]))
      .digest('base64')
  }

  async function compare({ user, password }: Credentials, stored: Stored, asker: Asker): Promise<boolean> {
    const isEqual = await comparer.compare({ password, hash: stored.hash, cost: stored.cost }, asker.from)
    if (isEqual && stored.isKnown && !isTooLong(password)) return true
    report.add(stored.isKnown ? user : undefined, asker.from)
    const times = wrongOf.get(asker.from) ?? 0
    wrongOf.set(asker.from, times + 1)
    await lateAnswer(asker.since, delay * Math.min(2 ** times, longestDelay))
    return false
  }

  /** Equal credentials are compared once, and all who sent them wait for that. */
  async function join(credentials: Credentials, stored: Stored, { asker, print }: { asker: Asker; print: string }) {
    const waiting = waitingOf.get(asker.from) ?? 0
    if (waiting >= mostOfOne) throw tooMany()
    waitingOf.set(asker.from, waiting + 1)
    try {
      const place = `${asker.from} ${print}`
      const asked = asking.get(place) ?? compare(credentials, stored, asker).finally(() => asking.delete(place))
      asking.set(place, asked)
      return await asked
    } finally {
      leave(asker.from)
    }
  }

  function leave(from: string): void {
    const left = (waitingOf.get(from) ?? 0) - 1
    if (left > 0) waitingOf.set(from, left)
    else waitingOf.delete(from)
  }

  return {
    failures: () => report.inAll(),
    close: () => report.tell(),
    async isRight(credentials, from) {
      const asker = { from, since: performance.now() }
      const stored = await users.hashFor(credentials.user)
      const print = fingerprint(credentials, stored.hash)
      if (right.get(print)) return true
      const isRight = await join(credentials, stored, { asker, print })
      if (isRight) right.set(print, true)
      return isRight
    },
  }
}

type Stored = Awaited<ReturnType<UsersFile['hashFor']>>
type Asker = { from: string; since: number }

/** On a grid: how long the comparison took, and how long it waited, cannot be read off. */
async function lateAnswer(since: number, step: number): Promise<void> {
  const passed = performance.now() - since
  await wait(Math.ceil(step * Math.max(1, Math.ceil(passed / step)) - passed))
}

/** The first at once, those of the next while together: none goes untold. A name that nobody has may be a password in the wrong place: it is not logged. */
function createReport({ warn, warnEvery = 10_000 }: SignInOptions) {
  let last: { user: string; address: string } | undefined
  let failures = 0
  let inAll = 0
  let pause: NodeJS.Timeout | undefined

  function tell(): void {
    clearTimeout(pause)
    pause = undefined
    if (!last) return
    warn('wrong credentials', { ...last, failures, inAll })
    last = undefined
    failures = 0
    pause = setTimeout(tell, warnEvery).unref()
  }

  return {
    tell,
    inAll: () => inAll,
    add(user: string | undefined, address: string) {
      last = { user: user ?? 'unknown', address }
      failures += 1
      inAll += 1
      if (pause === undefined) tell()
    },
  }
}
