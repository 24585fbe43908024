/** Room for what is pushed: it cannot be fetched again, so where there is none it is refused, never passed on. */
import type { Reservation, Room } from '../catalog/room.ts'
import { OciError } from '../oci/errors.ts'
import { saysFull } from '../store/errors.ts'

/** @throws OciError DENIED with the figures: a status of 5xx would be tried again and again */
export type TakeRoom = (bytes: number, counted?: number) => Promise<Reservation>

/** @param reclaim frees what can be freed, where there is no room without it */
export function createTakeRoom(room: Room, maxSize: number, reclaim?: () => Promise<void>): TakeRoom {
  return async (bytes, counted = 0) => {
    const reserve = () => room.reserve(bytes, counted)
    const reservation = (await reserve()) ?? (reclaim && (await reclaim().then(reserve)))
    if (reservation) return reservation
    throw noRoom({ bytes, used: room.used() - counted, maxSize })
  }
}

export function noRoom(figures: { bytes: number; used: number; maxSize: number }): OciError {
  const { bytes, used, maxSize } = figures
  return new OciError(
    'DENIED',
    `There is no room for these ${bytes} bytes: of the ${maxSize} bytes of maxSize, ${used} are in use by what cannot be evicted, ` +
      'or the disk has no more to give. Delete something here, which gives room back after 10 minutes, or raise maxSize.',
    { facts: figures },
  )
}

/** What a disk says that is full, as the client is to hear it. */
export function refusalOf(error: unknown): unknown {
  if (!saysFull(error)) return error
  return new OciError('DENIED', 'The disk has no room for it. Delete something here, or free some of the disk.', {
    cause: error,
  })
}
