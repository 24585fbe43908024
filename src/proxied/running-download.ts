/**
 * One upstream blob transfer in flight: one spool file, many readers. It belongs to the cache, not to the client that started it:
 * readers come and go, and the last to leave decides only whether what is left is worth fetching.
 */
import { rm } from 'node:fs/promises'
import type { Reservation } from '../catalog/room.ts'
import { OciError } from '../oci/errors.ts'
import type { Spool } from '../store/spool.ts'
import type { Transfer } from '../upstream/upstream.ts'
import type { Download, DownloadOptions } from './download.ts'
import { createProgress, type Progress } from './progress.ts'
import { openReader } from './reader.ts'
import { isWrong, NoRoomError, receive } from './receive.ts'

/** Reserved at a time for a body whose size nobody said. */
export const unknownStep = 8 * 1024 * 1024

/** What an abandoned download may still fetch: finish if half is done or at most this remains (docs/architecture.md, Download). */
const worthFinishing = 32 * 1024 * 1024

interface Running {
  transfer: Transfer
  reservation: Reservation
  spool: Spool
}

export function runDownload(options: DownloadOptions, { transfer, reservation, spool }: Running): Download {
  const progress = createProgress(transfer.size, spool.written)
  const abandoned = new AbortController()
  const links = [options.link]
  let readers = 0
  let provable = true
  let ended = false
  void watch(spool, progress)
  const settled = work()
    .catch((error: unknown) => options.warn('a download could not be cleaned up', error))
    .finally(() => {
      provable = false
      ended = true
      closeUnread()
    })

  async function work(): Promise<void> {
    try {
      await receive({ ...options, transfer, spool, progress, allow, signal: abandoned.signal })
    } catch (error) {
      return fail(error)
    }
    progress.size = spool.written
    progress.advance(spool.written)
    progress.become({ at: 'verified' })
    try {
      await commit()
    } catch (error) {
      options.warn('a blob was served but could not be kept', error)
      await rm(spool.path, { force: true })
    } finally {
      reservation.release()
    }
  }

  async function commit(): Promise<void> {
    const proved = [...links]
    await options.commit({ spool: spool.path, size: spool.written }, proved, reservation)
    for (let next = proved.length; next < links.length; next += 1) {
      const link = links[next]
      if (link) await options.addLink(link)
    }
  }

  async function fail(error: unknown): Promise<void> {
    provable = false
    if (error instanceof NoRoomError) {
      options.warn('no room to keep a blob; it is passed through', error)
      return discard(() => progress.become({ at: 'without-room' }))
    }
    progress.become({ at: 'failed', error })
    if (isWrong(error)) return discard(() => {})
    // The bytes that are here are worth as much to the next client as when this transfer had been abandoned.
    try {
      await spool.close()
    } finally {
      reservation.keep(spool.written)
    }
  }

  // Readers go on in the open file when it has been renamed or deleted; the last to leave closes it.
  async function discard(then: () => void): Promise<void> {
    try {
      await rm(spool.path, { force: true })
    } finally {
      reservation.release()
      then()
    }
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

  function closeUnread(): void {
    if (ended && readers === 0) spool.close().catch((error: unknown) => options.warn('a spool did not close', error))
  }

  return {
    get size() {
      return progress.size
    },
    settled,
    stop() {
      if (progress.state.at === 'arriving')
        abandoned.abort(new OciError('UNAVAILABLE', 'This daemon is ending; ask again when it has started.'))
      return settled
    },
    open(closedEnd) {
      if (ended || abandoned.signal.aborted || progress.state.at === 'failed') return undefined
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
