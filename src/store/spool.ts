/**
 * A file that grows while it is hashed, with any number of readers at its tail. All that a reader needs is the path and the count
 * `written`, so that receiving, hashing and writing can move to another thread.
 */
import { createHash, type Hash } from 'node:crypto'
import { rm, type FileHandle } from 'node:fs/promises'
import { failpoint } from '../observe/failpoint.ts'
import { createBlocks } from './blocks.ts'
import { createSyncAhead } from './sync-ahead.ts'
import { writeAll } from './write-all.ts'
import { hashedDigest, type Digest, type DigestAlgorithm } from '../oci/digest.ts'

export interface Spool {
  readonly path: string
  /** How many bytes can be read. */
  readonly written: number
  /**
   * Takes a copy of the chunk; settles when it is made, so that the chunk is the caller's again. Chunks that wait together are
   * written together. @throws the error of an earlier write, its code kept (ENOSPC); from then on at every call.
   */
  append(chunk: Uint8Array): Promise<void>
  /** Settles when more than `beyond` bytes can be read, or no more will come: sealed, failed, or closed. Never throws. */
  grown(beyond: number): Promise<void>
  /** Reads what is written at `position` into `buffer`, and settles with the number of bytes: 0 where there are none yet. */
  read(position: number, buffer: Uint8Array): Promise<number>
  /** Settles when all that was taken can be read, and gives the memory back. @throws the error of a write */
  flush(): Promise<void>
  /** Ends the appending; settles, when all is written, with the digest of all. @throws the error of a write. */
  seal(): Promise<Digest>
  /** A copy of the hash of the first `position` bytes, to go on with elsewhere after a failed write. */
  hashAt(): Promise<{ hash: Hash; position: number }>
  /** Writes what waits and closes; the file stays as a partial if it holds anything. Idempotent, as `discard` is. */
  close(): Promise<void>
  /** Closes and deletes the file. */
  discard(): Promise<void>
}

export interface SpoolOptions {
  path: string
  /** Open for reading and writing; the spool closes it. */
  handle: FileHandle
  /** Bytes that a partial holds already. */
  size: number
  algorithm: DigestAlgorithm
  /** Called once, when the file is closed. */
  onClose: () => void
}

export function createSpool(options: SpoolOptions): Spool {
  const { path, handle, algorithm } = options
  const tail = createTail(options)
  let closing: Promise<void> | undefined

  const end = async (remove: boolean) => {
    await tail.end()
    try {
      await handle.close()
      if (remove || tail.written() === 0) await rm(path, { force: true })
    } finally {
      options.onClose()
    }
  }
  return {
    path,
    get written() {
      return tail.written()
    },
    append: tail.append,
    grown: tail.grown,
    read: async (position, buffer) => {
      if (closing !== undefined) throw new Error('The spool is closed.')
      const length = Math.min(buffer.length, tail.written() - position)
      if (length <= 0) return 0
      const { bytesRead } = await handle.read(buffer, 0, length, position)
      if (bytesRead === 0) throw new Error('The spool file has become shorter.')
      return bytesRead
    },
    flush: tail.flush,
    seal: async () => hashedDigest(algorithm, await tail.seal()),
    hashAt: tail.hashAt,
    close: () => (closing ??= end(false)),
    discard: () => {
      if (closing === undefined) tail.drop()
      return (closing ??= end(true))
    },
  }
}

/**
 * The writing side: one write at a time, hashed while it runs, and whatever arrived meanwhile is the next write. Its two blocks of
 * memory are used again and again: a new buffer for each chunk would keep the garbage collector busy for as long as the hash.
 */
function createTail({ handle, size, algorithm }: SpoolOptions) {
  let written = size
  /** Of the first `hashed` bytes, once `ready`. */
  let hash = createHash(algorithm)
  let hashed = 0
  const blocks = createBlocks()
  const ahead = createSyncAhead(handle, size)
  let failure: { error: unknown } | undefined
  let state: 'open' | 'sealed' | 'dropped' = 'open'
  let drained = true
  let taking = Promise.resolve()
  const watchers = new Set<{ done(): boolean; wake(): void }>()

  const rehashing = rehash(handle, hash, size, () => !dropped())
  const ready = rehashing.then(
    () => void (hashed = size),
    (error: unknown) => void (failure = { error }),
  )

  function notify() {
    for (const watcher of watchers) {
      if (!watcher.done()) continue
      watchers.delete(watcher)
      watcher.wake()
    }
  }
  function until(done: () => boolean): Promise<void> {
    if (done()) return Promise.resolve()
    return new Promise((wake) => void watchers.add({ done, wake }))
  }
  function isSound() {
    return failure === undefined
  }
  function requireSound() {
    if (failure !== undefined) throw failure.error
  }

  function dropped() {
    return state === 'dropped'
  }

  async function drain() {
    await ready
    while (blocks.filled().length > 0 && isSound()) {
      const block = blocks.swap()
      notify()
      await writeBlock(block).catch((error: unknown) => {
        failure = { error }
      })
      ahead.reached(written)
      notify()
    }
    drained = true
    notify()
  }
  async function writeBlock(block: Uint8Array) {
    const next = hash.copy()
    try {
      failpoint('spool.writing')
      const writing = writeAll(handle, block, written, (count) => (written += count))
      next.update(block)
      await writing
      failpoint('spool.written')
      hash = next
    } catch (error) {
      hash.update(block.subarray(0, written - hashed))
      throw error
    } finally {
      hashed = written
    }
  }
  async function take(chunk: Uint8Array) {
    for (let left = chunk; left.length > 0;) {
      await until(() => blocks.hasRoom() || drained)
      requireSound()
      if (dropped()) throw new Error('The spool was discarded.')
      left = left.subarray(blocks.fill(left))
      if (!drained) continue
      drained = false
      void drain()
    }
  }

  return {
    written: () => written,
    append: (chunk: Uint8Array) => {
      if (failure !== undefined) return Promise.reject(failure.error)
      if (state !== 'open') return Promise.reject(new Error('The spool takes no more bytes.'))
      const taken = taking.then(() => take(chunk))
      taking = taken.catch(() => undefined)
      return taken
    },
    grown: (beyond: number) => until(() => written > beyond || failure !== undefined || (state !== 'open' && drained)),
    flush: async () => {
      await ready
      await taking
      await until(() => drained)
      requireSound()
      blocks.release()
    },
    seal: async () => {
      if (state === 'open') state = 'sealed'
      await ready
      await taking
      await until(() => drained)
      requireSound()
      if (dropped()) throw new Error('The spool was discarded.')
      await ahead.settled()
      blocks.release()
      notify()
      failpoint('spool.sealed')
      return hash.copy()
    },
    hashAt: async () => {
      await ready
      if (hashed < size) requireSound()
      return { hash: hash.copy(), position: hashed }
    },
    drop: () => {
      state = 'dropped'
      blocks.release()
    },
    end: async () => {
      if (state === 'open') state = 'sealed'
      await ready
      await taking
      await until(() => drained)
      await ahead.settled().catch(() => {})
      blocks.release()
      notify()
    },
  }
}

const rehashBytes = 1024 * 1024

/** A part at a time, so that other work gets its turn. */
async function rehash(handle: FileHandle, hash: Hash, size: number, wanted: () => boolean): Promise<void> {
  if (size === 0) return
  const buffer = Buffer.allocUnsafe(Math.min(size, rehashBytes))
  for (let position = 0; position < size && wanted();) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - position), position)
    if (bytesRead === 0) throw new Error('The partial has become shorter while it was read.')
    hash.update(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
}
