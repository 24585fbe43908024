/**
 * A file that grows while it is hashed, with any number of readers at its tail. All that a reader needs is the path and the count
 * `written`, so that receiving, hashing and writing can move to another thread.
 */
import { createHash, type Hash } from 'node:crypto'
import { rm, type FileHandle } from 'node:fs/promises'
import { failpoint } from '../observe/failpoint.ts'
import { afterBytes, firstBytes, groupOf, lengthOf } from './chunks.ts'
import { hashedDigest, type Digest, type DigestAlgorithm } from '../oci/digest.ts'

export interface Spool {
  readonly path: string
  /** How many bytes can be read. */
  readonly written: number
  /**
   * Takes the chunk, which must not change any more. Settles when there is room for the next one: chunks that wait together are
   * written together. @throws the error of an earlier write, its code kept (ENOSPC); from then on at every call.
   */
  append(chunk: Uint8Array): Promise<void>
  /** Settles when more than `beyond` bytes can be read, or no more will come: sealed, failed, or closed. Never throws. */
  grown(beyond: number): Promise<void>
  /** Reads what is written at `position` into `buffer`, and settles with the number of bytes: 0 where there are none yet. */
  read(position: number, buffer: Uint8Array): Promise<number>
  /** Ends the appending; settles, when all is written, with the digest of all. @throws the error of a write. */
  seal(): Promise<Digest>
  /** A copy of the hash of the first `position` bytes, to go on with elsewhere after a failed write. */
  hashAt(): Promise<{ hash: Hash; position: number }>
  /** After a failed write: the bytes that were taken and are not in the file, those from `written` on. */
  rest(): Uint8Array[]
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

const groupBytes = 1024 * 1024

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
    seal: async () => hashedDigest(algorithm, await tail.seal()),
    hashAt: tail.hashAt,
    rest: tail.rest,
    close: () => (closing ??= end(false)),
    discard: () => {
      if (closing === undefined) tail.drop()
      return (closing ??= end(true))
    },
  }
}

/** The writing side: one write at a time, hashed while it runs, and whatever arrived meanwhile is the next write. */
function createTail({ handle, size, algorithm }: SpoolOptions) {
  let written = size
  /** Of the first `hashed` bytes, once `ready`. */
  let hash = createHash(algorithm)
  let hashed = 0
  /** From `hashed` on; `waiting` counts those bytes that no write has taken yet. */
  let queue: Uint8Array[] = []
  let waiting = 0
  let failure: { error: unknown } | undefined
  let state: 'open' | 'sealed' | 'dropped' = 'open'
  let drained = true
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
    while (queue.length > 0 && isSound()) {
      await writeGroup(groupOf(queue, groupBytes)).catch((error: unknown) => {
        failure = { error }
      })
      notify()
    }
    drained = true
    notify()
  }
  async function writeGroup(group: Uint8Array[]) {
    const ahead = hash.copy()
    waiting -= lengthOf(group)
    try {
      failpoint('spool.writing')
      const writing = writeAll(handle, group, written, (count) => (written += count))
      for (const chunk of group) ahead.update(chunk)
      await writing
      failpoint('spool.written')
      hash = ahead
      queue.splice(0, group.length)
    } catch (error) {
      for (const chunk of firstBytes(group, written - hashed)) hash.update(chunk)
      queue = afterBytes(queue, written - hashed)
      throw error
    } finally {
      hashed = written
    }
  }

  return {
    written: () => written,
    append: async (chunk: Uint8Array) => {
      requireSound()
      if (state !== 'open') throw new Error('The spool takes no more bytes.')
      if (chunk.length === 0) return
      queue.push(chunk)
      waiting += chunk.length
      if (drained) {
        drained = false
        void drain()
      }
      await until(() => waiting <= groupBytes || drained)
      requireSound()
      if (dropped()) throw new Error('The spool was discarded.')
    },
    grown: (beyond: number) => until(() => written > beyond || failure !== undefined || (state !== 'open' && drained)),
    seal: async () => {
      if (state === 'open') state = 'sealed'
      await ready
      await until(() => drained)
      requireSound()
      if (dropped()) throw new Error('The spool was discarded.')
      notify()
      failpoint('spool.sealed')
      return hash.copy()
    },
    hashAt: async () => {
      await ready
      if (hashed < size) requireSound()
      return { hash: hash.copy(), position: hashed }
    },
    rest: () => queue.slice(),
    drop: () => {
      state = 'dropped'
      queue = []
    },
    end: async () => {
      if (state === 'open') state = 'sealed'
      await ready
      await until(() => drained)
      notify()
    },
  }
}

/** 1 MiB at a time, so that other work gets its turn. */
async function rehash(handle: FileHandle, hash: Hash, size: number, wanted: () => boolean): Promise<void> {
  if (size === 0) return
  const buffer = Buffer.allocUnsafe(Math.min(size, groupBytes))
  for (let position = 0; position < size && wanted();) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - position), position)
    if (bytesRead === 0) throw new Error('The partial has become shorter while it was read.')
    hash.update(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
}

/** A disk that fills up takes a part and says so at the next write only. */
async function writeAll(handle: FileHandle, chunks: Uint8Array[], start: number, onWritten: (count: number) => void) {
  let position = start
  for (let left = chunks; left.length > 0;) {
    const { bytesWritten } = await handle.writev(left, position)
    if (bytesWritten === 0) throw new Error('The disk took no bytes and gave no reason.')
    onWritten(bytesWritten)
    position += bytesWritten
    left = afterBytes(left, bytesWritten)
  }
}
