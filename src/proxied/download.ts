/**
 * One upstream blob transfer in flight: one spool file, many readers. It belongs to the cache, not to the client that started it:
 * readers come and go, and the last to leave decides only whether what is left is worth fetching.
 */
import { rm } from 'node:fs/promises'
import type { Reservation, Room } from '../catalog/room.ts'
import type { Link } from '../catalog/records.ts'
import type { ByteSource } from '../oci/byte-source.ts'
import { algorithmOf, type Digest } from '../oci/digest.ts'
import { UpstreamError } from '../oci/errors.ts'
import type { Spool } from '../store/spool.ts'
import type { Spools } from '../store/spools.ts'
import type { Transfer } from '../upstream/upstream.ts'
import { createProgress, type Progress } from './progress.ts'
import { openReader } from './reader.ts'
import { NoRoomError, receive } from './receive.ts'
import { withoutRoom } from './without-room.ts'

export interface Download {
  /** `undefined` until the end where the upstream does not say. */
  readonly size: number | undefined
  /**
   * One more reader, from byte 0 on. `closedEnd`: exclusive end of a closed range. `undefined` = too late: it has ended, or every
   * client had left and what remained was not worth fetching; ask again when it has settled.
   */
  open(closedEnd?: number): ByteSource | undefined
  /** A further repository that the bytes are proved for. False once the commit has begun. */
  prove(link: Link): boolean
  /** Ends the transfer, unless all has arrived; the partial stays. Settles as `settled` does. */
  stop(): Promise<void>
  /** Settles when the download is no more: committed, failed, abandoned or without room. Never rejects. */
  readonly settled: Promise<void>
}

export interface DownloadOptions {
  upstream: string
  digest: Digest
  /** What a partial is found again by. */
  key: string
  spools: Spools
  room: Room
  link: Link
  /** The blob's bytes from an offset. */
  fetch: (from: number) => Promise<Transfer | undefined>
  commit: (spool: { spool: string; size: number }, links: Link[]) => Promise<void>
  warn: (message: string, error: unknown) => void
}

/** What an abandoned download may still fetch: finish if half is done or at most this remains (docs/architecture.md, Download). */
const worthFinishing = 32 * 1024 * 1024
/** Reserved at a time for a body whose size nobody said. */
const unknownStep = 8 * 1024 * 1024

/** Settles when upstream's headers are in. `undefined` = the upstream has no such blob. */
export async function startDownload(options: DownloadOptions): Promise<Download | undefined> {
  const { room } = options
  const { partial, transfer } = await begin(options)
  if (!transfer) return undefined
  const reservation = await room.reserve(transfer.size ?? Math.max(unknownStep, partial?.written ?? 0))
  const spool = reservation && (partial ?? (await createSpool(options)))
  if (reservation && spool) {
    room.count(-(partial?.written ?? 0))
    return run(options, { transfer, reservation, spool, progress: createProgress(transfer.size, spool.written) })
  }
  reservation?.release()
  if (partial) await drop(options, partial)
  return withoutRoom(options, transfer)
}

/** The transfer, from where a partial of an earlier download ends. One that the upstream cannot go on from is worth nothing. */
async function begin(options: DownloadOptions): Promise<{ partial?: Spool; transfer: Transfer | undefined }> {
  const partial = await options.spools.resume(options.key, algorithmOf(options.digest))
  if (!partial) return { transfer: await options.fetch(0) }
  try {
    const transfer = await options.fetch(partial.written)
    if (transfer) return { partial, transfer }
    await drop(options, partial)
    return { transfer }
  } catch (error) {
    const useless = error instanceof UpstreamError && error.trouble === 'wrong'
    if (!useless) {
      await partial.close()
      throw error
    }
    await drop(options, partial)
    return { transfer: await options.fetch(0) }
  }
}

async function drop({ room }: DownloadOptions, partial: Spool): Promise<void> {
  room.count(-partial.written)
  await partial.discard()
}

async function createSpool({ spools, key, digest, warn }: DownloadOptions): Promise<Spool | undefined> {
  try {
    return await spools.create(key, algorithmOf(digest))
  } catch (error) {
    warn('no spool can be made; the blob is passed through', error)
    return undefined
  }
}

interface Running {
  transfer: Transfer
  progress: Progress
  reservation: Reservation
  spool: Spool
}

function run(options: DownloadOptions, running: Running): Download {
  const { progress, reservation, spool } = running
  const abandoned = new AbortController()
  const links = [options.link]
  let readers = 0
  let provable = true
  let ended = false
  void watch(spool, progress)
  const settled = work()
    .catch((error: unknown) => options.warn('a download could not be cleaned up', error))
    .finally(() => {
      ended = true
      closeUnread()
    })

  async function work(): Promise<void> {
    try {
      await receive({ ...options, ...running, allow, signal: abandoned.signal })
    } catch (error) {
      return stop(error)
    }
    progress.size = spool.written
    progress.advance(spool.written)
    progress.become({ at: 'verified' })
    provable = false
    try {
      await options.commit({ spool: spool.path, size: spool.written }, links)
    } catch (error) {
      options.warn('a blob was served but could not be kept', error)
      await rm(spool.path, { force: true })
    }
    // What was kept has been counted by the catalog.
    reservation.release()
  }

  async function stop(error: unknown): Promise<void> {
    provable = false
    if (abandoned.signal.aborted) {
      await spool.close()
      reservation.keep(spool.written)
      progress.become({ at: 'failed', error })
      return
    }
    await rm(spool.path, { force: true })
    reservation.release()
    if (!(error instanceof NoRoomError)) return progress.become({ at: 'failed', error })
    options.warn('no room to keep a blob; it is passed through', error)
    progress.become({ at: 'without-room' })
  }

  async function allow(bytes: number): Promise<boolean> {
    if (bytes <= reservation.bytes) return true
    return reservation.grow(Math.max(unknownStep, bytes - reservation.bytes))
  }

  function leave(): void {
    readers -= 1
    if (readers > 0) return
    if (!isWorthFinishing(progress)) abandoned.abort(new Error('Every client has left.'))
    closeUnread()
  }

  // Readers go on in the open file when it has been renamed or deleted; the last to leave closes it.
  function closeUnread(): void {
    if (ended && readers === 0) spool.close().catch((error: unknown) => options.warn('a spool did not close', error))
  }

  return {
    get size() {
      return progress.size
    },
    settled,
    stop() {
      if (progress.state.at === 'arriving') abandoned.abort(new Error('The daemon is ending.'))
      return settled
    },
    open(closedEnd) {
      if (ended || abandoned.signal.aborted) return undefined
      readers += 1
      return openReader({ ...options, progress, spool, closedEnd, leave })
    },
    prove(link) {
      const inTime = provable && !abandoned.signal.aborted
      if (inTime) links.push(link)
      return inTime
    },
  }
}

/** Tells readers of what has been written since. */
async function watch(spool: Spool, progress: Progress): Promise<void> {
  for (;;) {
    await spool.grown(progress.written)
    if (spool.written <= progress.written) return
    progress.advance(spool.written)
  }
}

function isWorthFinishing({ size, written, state }: Progress): boolean {
  if (state.at !== 'arriving') return true
  if (size === undefined) return false
  return written * 2 >= size || size - written <= worthFinishing
}
