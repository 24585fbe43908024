/**
 * Whether credentials are right. What was found right is remembered for a moment, since clients send it with every request; what is
 * wrong is answered late, and at times that say nothing about why it is wrong.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Credentials } from './basic.ts'
import { type Comparer, isTooLong } from './bcrypt.ts'
import type { UsersFile } from './users.ts'

export interface SignInOptions {
  users: UsersFile
  comparer: Pick<Comparer, 'compare'>
  /** ms that right credentials are remembered, while their line in the file stays as it is; default 60,000. */
  rememberFor?: number
  /** ms after which a wrong answer comes; each further one of the same address within a minute takes twice as long, up to eight times. Default 500. */
  delay?: number
  warn: (message: string, fields: Record<string, unknown>) => void
  /** ms between two warnings about wrong credentials; default 10,000. */
  warnEvery?: number
}

export interface SignIn {
  /** @param from the address of the client @throws OciError TOOMANYREQUESTS */
  isRight(credentials: Credentials, from: string): Promise<boolean>
  /** Wrong credentials since the start. */
  failures(): number
}

const failuresCountFor = 60_000
const mostAddresses = 10_000
const longestDelay = 8

export function createSignIn(options: SignInOptions): SignIn {
  const { users, comparer, rememberFor = 60_000, delay = 500 } = options
  const key = randomBytes(32)
  const right = new LRUCache<string, true>({ max: 10_000, ttl: rememberFor })
  const asking = new Map<string, Promise<boolean>>()
  const wrongOf = new LRUCache<string, number>({ max: mostAddresses, ttl: failuresCountFor })
  const report = createReport(options)
  let failures = 0

  /** Whoever can read this process's memory later finds no password in it. */
  function fingerprint({ user, password }: Credentials, hash: string): string {
    return createHmac('sha256', key)
      .update(JSON.stringify([user, password, hash]))
      .digest('base64')
  }

  async function compare({ user, password }: Credentials, stored: Stored, asker: Asker): Promise<boolean> {
    const isEqual = await comparer.compare({ password, hash: stored.hash }, asker.from)
    if (isEqual && stored.isKnown && !isTooLong(password)) return true
    failures += 1
    report(stored.isKnown ? user : undefined, asker.from, failures)
    const times = wrongOf.get(asker.from) ?? 0
    wrongOf.set(asker.from, times + 1)
    await lateAnswer(asker.since, delay * Math.min(2 ** times, longestDelay))
    return false
  }

  return {
    failures: () => failures,
    async isRight(credentials, from) {
      const asker = { from, since: performance.now() }
      const stored = await users.hashFor(credentials.user)
      const print = fingerprint(credentials, stored.hash)
      if (right.has(print)) return true
      const place = `${from} ${print}`
      const asked = asking.get(place) ?? compare(credentials, stored, asker).finally(() => asking.delete(place))
      asking.set(place, asked)
      const isRight = await asked
      if (isRight) right.set(print, true)
      return isRight
    },
  }
}

type Stored = Awaited<ReturnType<UsersFile['hashFor']>>
type Asker = { from: string; since: number }

/** On a grid: how long the comparison took, and how long it waited, cannot be read off. */
async function lateAnswer(since: number, wait: number): Promise<void> {
  const passed = performance.now() - since
  await setTimeout(Math.ceil(wait * Math.max(1, Math.ceil(passed / wait)) - passed))
}

/** A name that nobody has may be a password in the wrong place: it is not logged. */
function createReport({ warn, warnEvery = 10_000 }: SignInOptions) {
  let warned = Number.NEGATIVE_INFINITY
  let told = 0
  return (user: string | undefined, address: string, failures: number) => {
    if (performance.now() - warned < warnEvery) return
    warned = performance.now()
    warn('wrong credentials', { user: user ?? 'unknown', address, failures: failures - told, inAll: failures })
    told = failures
  }
}
