/** The users as their file has them now: it is looked at again by whoever signs in, at most every `checkEvery` ms. */
import { randomBytes } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { type LineProblem, parseHtpasswd, type Users } from './htpasswd.ts'

export interface UsersFile {
  /** The hash of a user as the file has it now, and one to spend the same time on where there is no such user; the cost is the highest of all. */
  hashFor(user: string): Promise<{ hash: string; isKnown: boolean; cost: number }>
  /** As it was read last. */
  names(): ReadonlySet<string>
}

export interface UsersFileOptions {
  path: string
  /** ms between two looks at the file; default 500. */
  checkEvery?: number
  /** Why such a file stops the start, in words; `undefined` = it does not. */
  exposure?: (stats: { uid: number; mode: number }) => string | undefined
  warn: (message: string, fields: Record<string, unknown>) => void
}

/** The start stops here. `sentences` has a line for each problem. */
export class HtpasswdError extends Error {
  readonly sentences: readonly string[]
  constructor(sentences: readonly string[]) {
    super(sentences.join('\n'))
    this.name = 'HtpasswdError'
    this.sentences = sentences
  }
}

const largestFile = 1024 * 1024

/** @throws HtpasswdError where the file cannot be read whole, or a line of it cannot be used */
export async function openUsersFile(options: UsersFileOptions): Promise<UsersFile> {
  const { path, checkEvery = 500, warn, exposure = () => undefined } = options
  const first = await load(path, exposure).catch((error: unknown) => {
    throw new HtpasswdError([`${path}: ${reasonOf(error)}`])
  })
  if (first.problems.length > 0) throw new HtpasswdError(first.problems.map((problem) => sentenceFor(path, problem)))
  let current = { ...first, dummy: dummyHash(first.users) }
  let looked = performance.now()
  let looking: Promise<void> | undefined

  /** A file that cannot be read is a mistake, and locks nobody out; what can be read counts, and a line of it that cannot be used is one user less. */
  async function look(): Promise<void> {
    try {
      if ((await stampOf(path)) === current.stamp) return
      const exposedBefore = current.exposed
      const next = await load(path, exposure)
      const { users, problems, exposed } = next
      current = { ...next, dummy: dummyHash(users) }
      if (exposed !== undefined && exposed !== exposedBefore)
        warn('the next start refuses the file of users', { why: exposed })
      for (const problem of problems.slice(0, 10)) warn('a user is left out', { why: sentenceFor(path, problem) })
    } catch (error) {
      const reason = reasonOf(error)
      if (current.stamp !== reason) warn('the users stay as they were', { why: `${path}: ${reason}` })
      current = { ...current, stamp: reason }
    } finally {
      looked = performance.now()
      looking = undefined
    }
  }

  return {
    async hashFor(user) {
      if (performance.now() - looked >= checkEvery) looking ??= look()
      await looking
      const { users, dummy } = current
      const hash = users.hashes.get(user)
      return { hash: hash ?? dummy, isKnown: hash !== undefined, cost: users.cost }
    },
    names: () => new Set(current.users.hashes.keys()),
  }
}

interface Loaded {
  users: Users
  stamp: string
  problems: LineProblem[]
  /** Who else can read it is no reason to lock everybody out, but one to say so. */
  exposed: string | undefined
}

async function load(path: string, exposure: NonNullable<UsersFileOptions['exposure']>): Promise<Loaded> {
  const file = await open(path)
  try {
    const stats = await file.stat({ bigint: true })
    if (!stats.isFile()) throw new Error('is no file')
    if (stats.size > largestFile) throw new Error('is larger than 1 MiB')
    const exposed = exposure({ uid: Number(stats.uid), mode: Number(stats.mode) })
    return { ...parseHtpasswd(await file.readFile('utf8')), stamp: stampFrom(stats), exposed }
  } finally {
    await file.close()
  }
}

async function stampOf(path: string): Promise<string> {
  return stampFrom(await stat(path, { bigint: true }))
}

/** Also changes where a file was put in the place of another of the same time and size. */
function stampFrom({
  dev,
  ino,
  size,
  mtimeNs,
  ctimeNs,
}: Record<'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs', bigint>) {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
}

/** No password fits it: its bytes are random. */
function dummyHash({ cost }: Users): string {
  const characters = randomBytes(64).toString('base64').replaceAll('+', '.').slice(0, 53)
  return `$2b$${String(cost).padStart(2, '0')}$${characters}`
}

function sentenceFor(path: string, { line, reason }: LineProblem): string {
  return `${path}:${line}: ${reason}`
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'cannot be read'
  return 'code' in error ? `cannot be read (${String(error.code)})` : error.message
}
