/** A body of an upload into its spool, at flat memory, never beyond the room there is. */
import type { Reservation, Room } from '../catalog/room.ts'
import { OciError } from '../oci/errors.ts'
import type { Spool } from '../store/spool.ts'
import { noRoom } from './room.ts'

export interface TakeBodyOptions {
  spool: Spool
  body: AsyncIterable<Uint8Array>
  /** Bytes that the client says will come. */
  length: number | undefined
  /** For all that is in the spool, and for a first step of what will come. */
  reservation: Reservation
  room: Room
  maxSize: number
  reclaim: () => Promise<void>
}

/** Bytes that are reserved at a time: what a client only says will come takes no room from others. */
export const roomStep = 8 * 1024 * 1024

/**
 * What arrived before an error stays in the spool.
 * @throws OciError SIZE_INVALID, DENIED without room; BLOB_UPLOAD_INVALID where the body breaks off
 */
export async function takeBody(options: TakeBodyOptions): Promise<void> {
  const { spool, length } = options
  const before = spool.written
  let taken = 0
  try {
    for await (const chunk of unbroken(options.body)) {
      taken += chunk.length
      if (length !== undefined && taken > length) throw wrongSize(length, 'more')
      await requireRoom(options, before + taken)
      await spool.append(chunk)
    }
  } finally {
    await spool.flush()
  }
  if (length !== undefined && taken < length) throw wrongSize(length, 'fewer')
}

/** @param bytes in the spool, with those that are about to be taken */
async function requireRoom(options: TakeBodyOptions, bytes: number): Promise<void> {
  const { reservation, room, maxSize } = options
  const missing = bytes - reservation.bytes
  if (missing <= 0) return
  if (missing < roomStep && (await reservation.grow(roomStep))) return
  if (await reservation.grow(missing)) return
  await options.reclaim()
  if (await reservation.grow(missing)) return
  throw noRoom({ bytes, used: room.used() - reservation.bytes, maxSize })
}

async function* unbroken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (cause) {
    throw new OciError('BLOB_UPLOAD_INVALID', 'The body broke off; what had arrived is kept: go on from there.', {
      cause,
    })
  }
}

function wrongSize(length: number, what: 'more' | 'fewer'): OciError {
  return new OciError('SIZE_INVALID', `The body has ${what} bytes than the ${length} that were announced.`)
}
