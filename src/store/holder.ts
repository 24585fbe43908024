/**
 * The data directory belongs to one process. What keeps a second one out is the lock that LevelDB takes on a directory, which the
 * kernel drops with the process, so nothing stale survives a kill. It stands in a directory of its own, because the catalog's is
 * closed, reopened and renamed while the process lives. `<data>/holder` only says who has it.
 */
import { constants, existsSync } from 'node:fs'
import { open, readdir, rename, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { Level } from 'level'
import { dataDirectory } from './data-directory.ts'
import { ownDirectory } from './directory.ts'
import { hasCode, saysFull, StoreFullError, StoreLockedError, type Holder } from './errors.ts'
import { reserveOf } from './reserve.ts'

export interface Holding {
  /** The directory without symlinks; build every path from it. */
  directory: string
  /** The last process that had it did not release it: it was killed, or the machine went down. */
  wasAbandoned: boolean
  /** Writes the address that is really listened on into the holder file. */
  announce(listen: string): Promise<void>
  /** Idempotent. */
  release(): Promise<void>
}

/**
 * Makes the data directory where it is missing (0700, with its parents), and takes it for this process. Sets the umask to 0077.
 * @throws StoreLockedError at once where another process has it; StoreFullError; a sentence where the directory is not safe to use.
 */
export async function holdDirectory(data: string, options: { listen: string }): Promise<Holding> {
  if (isMainThread) process.umask(0o077)
  const directory = await dataDirectory(data)
  const lock = await withReserve(directory, () => takeLock(directory))
  const file = join(directory, 'holder')
  const wasAbandoned = (await readSmallFile(file)) !== undefined
  const startedAt = new Date(Date.now() - process.uptime() * 1000).toISOString()
  const announce = (listen: string) => writeHolder(file, { pid: process.pid, startedAt, listen })
  try {
    await announce(options.listen)
  } catch (error) {
    await lock.close()
    throw saysFull(error) ? new StoreFullError(directory, { cause: error }) : error
  }
  let released: Promise<void> | undefined
  const release = async () => {
    await rm(file, { force: true })
    await lock.close()
  }
  return { directory, wasAbandoned, announce, release: () => (released ??= release()) }
}

/** On a full disk what a start writes takes the room that is kept for LevelDB, which this process has then. */
async function withReserve<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const reserve = reserveOf(join(directory, 'catalog'))
    if (!(error instanceof StoreFullError) || !existsSync(reserve)) throw error
    await rm(reserve, { force: true })
    return work()
  }
}

async function takeLock(directory: string): Promise<Level> {
  const path = join(directory, 'lock')
  await ownDirectory(path)
  try {
    return await openLock(path)
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error
    if (hasCode(cause, 'LEVEL_LOCKED')) throw new StoreLockedError(directory, await readHolder(directory), { cause })
    if (saysFull(cause)) throw new StoreFullError(path, { cause })
  }
  // Nothing is kept in there: where a power cut tore its files, all but the locked one (whose inode is the lock) are made anew.
  for (const name of await readdir(path)) if (name !== 'LOCK') await rm(join(path, name), { force: true })
  return openLock(path)
}

async function openLock(path: string): Promise<Level> {
  const lock = new Level(path)
  await lock.open()
  return lock
}

async function writeHolder(file: string, holder: Holder): Promise<void> {
  const fresh = `${file}.new`
  await rm(fresh, { force: true })
  const handle = await open(fresh, 'wx', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify(holder)}\n`)
  } finally {
    await handle.close()
  }
  await rename(fresh, file).catch(async (error: unknown) => {
    await unlink(fresh)
    throw error
  })
}

const maxHolderBytes = 4096

/** Who has the data directory; `undefined` where the file is missing, no holder file, or of a process that is gone. */
export async function readHolder(directory: string): Promise<Holder | undefined> {
  const text = await readSmallFile(join(directory, 'holder'))
  if (text === undefined) return undefined
  try {
    const holder: unknown = JSON.parse(text)
    return isHolder(holder) && isAlive(holder.pid) ? holder : undefined
  } catch {
    return undefined
  }
}

async function readSmallFile(path: string): Promise<string | undefined> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(maxHolderBytes), 0, maxHolderBytes, 0)
      return buffer.toString('utf8', 0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch {
    return undefined
  }
}

function isHolder(value: unknown): value is Holder {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    Number.isSafeInteger(value.pid) &&
    'startedAt' in value &&
    isPlainText(value.startedAt) &&
    'listen' in value &&
    isPlainText(value.listen)
  )
}

/** The text goes to a terminal. */
function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && /^[\x20-\x7e]{1,255}$/.test(value)
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}
