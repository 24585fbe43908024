/** How one upstream blob transfer begins: with the partial of an earlier one, a new spool, or without room to keep anything. */
import type { Reservation } from '../catalog/room.ts'
import { algorithmOf } from '../oci/digest.ts'
import type { Spool } from '../store/spool.ts'
import type { Transfer } from '../upstream/upstream.ts'
import type { Download, DownloadOptions } from './download.ts'
import { isWrong } from './receive.ts'
import { runDownload, unknownStep } from './running-download.ts'
import { withoutRoom } from './without-room.ts'

/** Settles when upstream's headers are in. `undefined` = the upstream has no such blob. */
export async function startDownload(options: DownloadOptions): Promise<Download | undefined> {
  const { partial, transfer } = await begin(options)
  if (!transfer) return undefined
  const written = partial?.written ?? 0
  const reservation = await reserve(options, transfer.size ?? Math.max(unknownStep, written), written)
  const spool = reservation && (partial ?? (await createSpool(options)))
  if (reservation && spool) return runDownload(options, { transfer, reservation, spool })
  reservation?.release()
  if (partial) await drop(options, partial)
  return withoutRoom(options, transfer)
}

/** The transfer, from where a partial of an earlier download ends. One that the upstream cannot go on from is worth nothing. */
async function begin(options: DownloadOptions): Promise<{ partial?: Spool; transfer: Transfer | undefined }> {
  const fetch = (from: number) => options.fetch(from, options.timeLeft())
  const partial = await resumePartial(options)
  if (!partial) return { transfer: await fetch(0) }
  try {
    const transfer = await fetch(partial.written)
    if (transfer && (transfer.size ?? partial.written) >= partial.written) return { partial, transfer }
    transfer?.abort()
    await drop(options, partial)
    return { transfer: transfer && (await fetch(0)) }
  } catch (error) {
    if (!isWrong(error)) {
      await partial.close()
      throw error
    }
    await drop(options, partial)
    return { transfer: await fetch(0) }
  }
}

/** Where there is a partial, and the disk gives it. */
async function resumePartial({ spools, key, digest, warn }: DownloadOptions): Promise<Spool | undefined> {
  try {
    return await spools.resume(key, algorithmOf(digest))
  } catch (error) {
    warn('a partial download cannot be read; the blob is fetched from its start', error)
    return undefined
  }
}

/** Eviction that fails makes no room, and no client waits for a disk to be mended. */
async function reserve(options: DownloadOptions, bytes: number, counted: number): Promise<Reservation | undefined> {
  try {
    return await options.room.reserve(bytes, counted)
  } catch (error) {
    options.warn('no room can be made; the blob is passed through', error)
    return undefined
  }
}

async function drop({ room, warn }: DownloadOptions, partial: Spool): Promise<void> {
  try {
    await partial.discard()
    room.count(-partial.written)
  } catch (error) {
    warn('a partial download cannot be deleted', error)
  }
}

async function createSpool({ spools, key, digest, warn }: DownloadOptions): Promise<Spool | undefined> {
  try {
    return await spools.create(key, algorithmOf(digest))
  } catch (error) {
    warn('no spool can be made; the blob is passed through', error)
    return undefined
  }
}
