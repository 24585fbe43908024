/** The LevelDB driver of KeyValue. A directory that does not open is set aside, never repaired: repair loses records silently. */
import { existsSync, writeFileSync } from 'node:fs'
import { lstat, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Level } from 'level'
import { ownDirectory, syncDirectory } from './directory.ts'
import { hasCode, saysFull, StoreFullError, StoreLockedError } from './errors.ts'
import { readHolder } from './holder.ts'
import type { KeyValue } from './key-value.ts'
import { createLevelHandle, type Handle } from './level-handle.ts'
import { createLevelStore } from './level-store.ts'
import { createReserve, reserveOf } from './reserve.ts'

export interface LevelOptions {
  /** A record whose checksum fails; it reads as absent. For a block that cannot be decoded in a scan: the prefix of the scan. */
  onCorrupt?: (key: string) => void
  /**
   * A write failed; the database is being closed and opened again. With code LEVEL_CORRUPTION (a compaction met a damaged table)
   * this will happen again and again: the next start sets the database aside, so restart soon.
   */
  onWriteError?: (error: unknown) => void
  /** Bytes kept free for the time when the disk is full, in the file `<directory>.reserve`. Default 16 MiB, 0 = none. */
  reserve?: number
  /** Bytes that the disk must take before the database is opened again after a write error. Default 8 MiB. */
  probe?: number
  /** Least time in ms between two attempts to open again. Default 1,000. */
  retryAfter?: number
}

export interface OpenedLevel {
  store: KeyValue
  /** `created`: there was none. `set-aside`: there was one that could not be used, which is now at `<directory>.bad-<time>`. */
  state: 'opened' | 'created' | 'set-aside'
  /**
   * Bytes of the write-ahead log that LevelDB dropped at this start because they were damaged; it opens without a word then. Above 0,
   * records are missing or old ones are back: what has no record must not be swept.
   */
  dropped: number
}

/**
 * Opens the database in `directory`, which must be the only use of it; the parent must exist.
 * @throws StoreLockedError where another handle has it; StoreFullError; and what else the disk says, the directory untouched.
 */
export async function openLevel(directory: string, options: LevelOptions = {}): Promise<OpenedLevel> {
  const { handle, state } = await openOrReplace(directory)
  const dropped = await droppedBytes(directory)
  const reserve = createReserve(reserveOf(directory), options.reserve ?? 16 * 1024 * 1024)
  const levels = createLevelHandle(handle, {
    directory,
    open: () => openHandle(directory, { createIfMissing: false }),
    reserve,
    probeBytes: options.probe ?? 8 * 1024 * 1024,
    retryAfter: options.retryAfter ?? 1000,
    onWriteError: (error) => {
      if (hasCode(error, 'LEVEL_CORRUPTION')) markDamaged(directory)
      options.onWriteError?.(error)
    },
  })
  return { store: createLevelStore(levels, options.onCorrupt ?? (() => {})), state, dropped }
}

async function openOrReplace(directory: string): Promise<{ handle: Handle; state: OpenedLevel['state'] }> {
  const found = await look(directory)
  if (found !== 'damaged') {
    try {
      await ownDirectory(directory)
      if (found === 'nothing') await rm(damageMark(directory), { force: true })
      return { handle: await openHandle(directory), state: found === 'database' ? 'opened' : 'created' }
    } catch (error) {
      if (!isDamage(error)) throw await explain(directory, error)
    }
  }
  await setAside(directory)
  await ownDirectory(directory)
  try {
    return { handle: await openHandle(directory), state: 'set-aside' }
  } catch (error) {
    throw await explain(directory, error)
  }
}

/** LevelDB would take a directory without CURRENT for a new one, and delete the tables that it finds there. */
async function look(directory: string): Promise<'nothing' | 'database' | 'damaged'> {
  try {
    const found = await lstat(directory)
    if (found.isSymbolicLink()) throw new Error(`${directory} is a symlink; move it away and start again.`)
    if (!found.isDirectory()) return 'damaged'
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'nothing'
    throw error
  }
  if (existsSync(damageMark(directory))) return 'damaged'
  const names = await readdir(directory)
  if (names.includes('CURRENT')) return 'database'
  return names.some((name) => /\.(?:ldb|sst|log)$/.test(name)) ? 'damaged' : 'nothing'
}

async function openHandle(directory: string, options: { createIfMissing?: boolean } = {}): Promise<Handle> {
  const handle = new Level<string, Buffer>(directory, { ...options, keyEncoding: 'utf8', valueEncoding: 'buffer' })
  try {
    await handle.open()
  } catch (error) {
    throw error instanceof Error && error.cause !== undefined ? error.cause : error
  }
  return handle
}

/** Whether the files are at fault, and not the disk, the rights or the limits of this process. */
function isDamage(error: unknown): boolean {
  if (hasCode(error, 'LEVEL_CORRUPTION', 'LEVEL_NOT_FOUND', 'LEVEL_INVALID_ARGUMENT', 'LEVEL_NOT_SUPPORTED'))
    return true
  if (!hasCode(error, 'LEVEL_IO_ERROR') || !(error instanceof Error)) return false
  return /No such file or directory|Is a directory|Not a directory/.test(error.message)
}

/** LevelDB says it in LOG only, which it begins anew at each start. A torn end of the log, as a kill leaves it, is not reported. */
async function droppedBytes(directory: string): Promise<number> {
  const text = await readFile(join(directory, 'LOG'), 'utf8').catch(() => '')
  return text.matchAll(/: dropping (\d+) bytes; /g).reduce((sum, [, bytes]) => sum + Number(bytes), 0)
}

async function explain(directory: string, error: unknown): Promise<unknown> {
  if (hasCode(error, 'LEVEL_LOCKED')) {
    return new StoreLockedError(directory, await readHolder(dirname(directory)), { cause: error })
  }
  return saysFull(error) ? new StoreFullError(directory, { cause: error }) : error
}

async function setAside(directory: string): Promise<void> {
  const time = new Date().toISOString().replaceAll(/[-:.]/g, '')
  await rename(directory, `${directory}.bad-${time}`)
  await rm(damageMark(directory), { force: true })
  await syncDirectory(dirname(directory))
}

/** Says that the database opens but cannot be written to for long. */
function damageMark(directory: string): string {
  return `${directory}.damaged`
}

function markDamaged(directory: string): void {
  try {
    writeFileSync(damageMark(directory), '', { mode: 0o600, flag: 'wx' })
  } catch {
    // It is there already; or the disk takes nothing, and the next write error marks it.
  }
}
