/**
 * One LevelDB handle for the life of the process, replaced after every write error. After a failed append LevelDB goes on to
 * acknowledge writes that it then loses at the next start (its log has a torn record in the middle), so that:
 * 1. the handle is frozen: nothing is written to it any more, reads go on from what it has;
 * 2. the values that the failed batch would have replaced are read;
 * 3. the reserve is released, and a probe must find that the disk takes bytes: else the handle stays frozen, and the next write
 *    after `retryAfter` tries again;
 * 4. it is closed and opened again, which replays its log; reads wait;
 * 5. what the replay brought in of the failed batch is undone, for its caller has been told that it did not happen.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Level } from 'level'
import { failpoint } from '../observe/failpoint.ts'
import { hasCode, StoreUnavailableError } from './errors.ts'
import { probe, type Reserve } from './reserve.ts'

export type Handle = Level<string, Buffer>
export type Write = { type: 'put'; key: string; value: Buffer } | { type: 'del'; key: string }

export interface LevelHandleOptions {
  directory: string
  /** Opens a database that exists. */
  open: () => Promise<Handle>
  reserve: Reserve
  /** Bytes that the disk must take before the handle is closed: what LevelDB's recovery may write. */
  probeBytes: number
  /** Least time in ms between two attempts to open again. */
  retryAfter: number
  onWriteError: (error: unknown) => void
}

export interface LevelHandle {
  /** Calls `use` with a handle that it must use at once: it may be closed later. @throws StoreUnavailableError */
  read<T>(use: (handle: Handle) => T | Promise<T>): Promise<T>
  /** Atomic and durable when it settles. One call at a time. @throws the error; the handle has then been replaced, or is frozen. */
  write(writes: Write[]): Promise<void>
  close(): Promise<void>
}

interface Trouble {
  error: unknown
  /** Of the failed batch. */
  keys: string[]
  /** What they held; read from the frozen handle. */
  before: Write[] | undefined
  triedAt: number
}

export function createLevelHandle(first: Handle, options: LevelHandleOptions): LevelHandle {
  const { directory, reserve } = options
  let handle: Handle | undefined = first
  let trouble: Trouble | undefined
  let mending: Promise<void> | undefined
  let swapping: Promise<void> | undefined
  let restoring = Promise.resolve()
  let restoredAt = 0

  function mend(): Promise<void> {
    mending ??= attempt().finally(() => (mending = undefined))
    return mending
  }
  async function attempt() {
    const current = trouble
    if (current === undefined) return
    if (performance.now() - current.triedAt < options.retryAfter) throw unavailable(directory, current.error)
    current.triedAt = performance.now()
    try {
      await restoring
      await reserve.release()
      failpoint('level.probe')
      await probe(`${directory}.probe`, options.probeBytes)
      current.before ??= await valuesOf(handle, current.keys)
      swapping = swap(current.before)
      await swapping
      trouble = undefined
    } catch (error) {
      current.error = error
      throw unavailable(directory, error)
    } finally {
      swapping = undefined
    }
  }
  async function swap(before: Write[]) {
    const old = handle
    handle = undefined
    await old?.close()
    const fresh = await options.open()
    try {
      await undo(fresh, before)
    } catch (error) {
      await fresh.close()
      throw error
    }
    handle = fresh
  }
  /** At most once a minute: without room it looks in vain. */
  function restoreReserve() {
    if (restoredAt !== 0 && performance.now() - restoredAt < 60_000) return
    restoredAt = performance.now()
    restoring = reserve.restore()
  }

  return {
    read: async (use) => {
      for (let pending = swapping; pending !== undefined; pending = swapping) await pending.catch(() => {})
      if (handle === undefined) await mend()
      if (handle === undefined) throw unavailable(directory, trouble?.error)
      return use(handle)
    },
    write: async (writes) => {
      if (trouble !== undefined) await mend()
      const current = handle
      if (current === undefined) throw unavailable(directory, undefined)
      try {
        failpoint('level.batch-before')
        await current.batch(writes, { sync: true })
      } catch (error) {
        trouble = { error, keys: keysOf(writes), before: undefined, triedAt: -Infinity }
        options.onWriteError(error)
        await mend().catch(() => {})
        throw error
      }
      failpoint('level.batch-after')
      restoreReserve()
    },
    close: async () => {
      await mend().catch(() => {})
      await restoring
      await handle?.close()
    },
  }
}

function keysOf(writes: Write[]): string[] {
  return [...new Set(writes.map((write) => write.key))]
}

/** What the keys hold, as the writes that restore it; a frozen handle does not show the failed batch, though the log may hold it. */
async function valuesOf(handle: Handle | undefined, keys: string[]): Promise<Write[]> {
  if (handle === undefined) throw new Error('There is no handle to read from.')
  const writes: Write[] = []
  for (const key of keys) {
    const value = await recordAt(handle, key)
    writes.push(value === undefined ? { type: 'del', key } : { type: 'put', key, value })
  }
  return writes
}

/** A record in a block that LevelDB cannot decode is one whose checksum fails: an empty one. */
export async function recordAt(handle: Handle, key: string): Promise<Buffer | undefined> {
  try {
    return await handle.get(key)
  } catch (error) {
    if (hasCode(error, 'LEVEL_CORRUPTION')) return Buffer.alloc(0)
    throw error
  }
}

async function undo(handle: Handle, before: Write[]): Promise<void> {
  const now = await valuesOf(handle, keysOf(before))
  const different = before.filter((write, index) => !isDeepStrictEqual(write, now[index]))
  if (different.length > 0) await handle.batch(different, { sync: true })
}

function unavailable(directory: string, cause: unknown): StoreUnavailableError {
  const reason = cause instanceof Error ? cause.message : 'a write failed'
  return new StoreUnavailableError(`The records in ${directory} take no writes at the moment: ${reason}`, { cause })
}
