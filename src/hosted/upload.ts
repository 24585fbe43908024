/** One upload session: bytes that come in by parts, hashed as they arrive, and then are a blob, or nothing. */
import { rm } from 'node:fs/promises'
import type { Reservation } from '../catalog/room.ts'
import { hostedOrigin } from '../catalog/records.ts'
import { algorithmOf, type Digest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import type { Upload } from '../repository/hosted.ts'
import type { Spool } from '../store/spool.ts'
import { pushedBlob } from './blobs.ts'
import { hashSpool } from './hash-spool.ts'
import { noRoom, refusalOf } from './room.ts'
import { roomStep, takeBody } from './take-body.ts'
import type { Session, UploadsOptions } from './session.ts'

export interface RunningUpload extends Upload {
  /** A body arrives, or its commit runs. */
  isBusy(): boolean
  /** Ends what runs; the session stays. */
  close(): Promise<void>
}

export interface OpenUploadOptions extends UploadsOptions {
  session: Session
  /** What has arrived of it. */
  spool: Spool
  onUse: () => void
  onEnd: () => void
}

export function openUpload(options: OpenUploadOptions): RunningUpload {
  const { session, spool, catalog, room, takeRoom, sessions } = options
  const { id, name } = session
  const repository = { origin: hostedOrigin, name }
  /** Bytes in the spool that room is counted for. */
  let counted = spool.written
  let busy = false
  let isOver = false
  let isClosing = false

  /** @throws OciError where something else is under way, or the session is over */
  async function alone<T>(work: () => Promise<T>): Promise<T> {
    if (isOver) throw new OciError('BLOB_UPLOAD_UNKNOWN', 'This upload is over.')
    if (busy) throw new OciError('RANGE_INVALID', 'Another part of this upload is arriving: send one at a time.')
    busy = true
    options.onUse()
    try {
      return await work()
    } finally {
      busy = false
      options.onUse()
    }
  }

  async function end(): Promise<void> {
    isOver = true
    options.onEnd()
    await sessions.delete(id)
  }

  async function discard(): Promise<void> {
    try {
      await spool.discard()
    } finally {
      room.count(-counted)
      counted = 0
      await end()
    }
  }

  /** Room for what is in the spool and `more`; afterwards what is in the spool counts as kept. */
  async function withRoom<T>(more: number, work: (reservation: Reservation) => Promise<T>): Promise<T> {
    const reservation = await takeRoom(counted + more, counted)
    try {
      return await work(reservation)
    } finally {
      if (!isOver) {
        reservation.keep(spool.written)
        counted = spool.written
      }
    }
  }

  /** Bytes in use besides this upload's. */
  const used = () => room.used() - counted

  /** Before its first byte, what could not be kept if all were evicted that may be; nothing is, for bytes that have not come. */
  async function requirePossible(more: number): Promise<void> {
    const { maxSize } = options
    const bytes = spool.written + more
    if (used() + bytes <= maxSize) return
    await options.reclaim()
    if (used() + bytes <= maxSize) return
    if (bytes > maxSize - (await options.unevictable())) throw noRoom({ bytes, used: used(), maxSize })
  }

  async function append(body: AsyncIterable<Uint8Array>, length: number | undefined): Promise<void> {
    try {
      await requirePossible(length ?? 0)
      await withRoom(Math.min(length ?? 0, roomStep), (reservation) =>
        takeBody({ ...options, spool, body, length, reservation }),
      )
    } catch (error) {
      // A spool whose disk failed is of no use; one without room takes up the room that is missing.
      if (!isClosing && !isClients(error)) await discard()
      throw refusalOf(error)
    }
  }

  async function verify(digest: Digest): Promise<void> {
    try {
      const found = await digestInSpool(spool, digest, session)
      if (found === digest) return
      throw new OciError('DIGEST_INVALID', `The bytes that arrived have the digest ${found}, not ${digest}.`)
    } catch (error) {
      if (!isClosing) await discard()
      throw refusalOf(error)
    }
  }

  async function keep(digest: Digest, reservation: Reservation): Promise<void> {
    const link = pushedBlob(repository, digest, options.now())
    try {
      await catalog.keep({ digest, bytes: { spool: spool.path, size: spool.written }, links: [link], reservation })
    } catch (error) {
      await rm(spool.path, { force: true })
      throw refusalOf(error)
    } finally {
      reservation.release()
      counted = 0
      await spool.close()
      await end()
    }
  }

  return {
    id,
    get offset() {
      return spool.written
    },
    isBusy: () => busy,
    append: (body, start, length) =>
      alone(async () => {
        requireOrder(spool, start)
        await append(body, length)
      }),
    commit: (digest) =>
      alone(async () => {
        await verify(digest)
        await withRoom(0, (reservation) => keep(digest, reservation))
      }),
    cancel: () => alone(discard),
    close() {
      isClosing = true
      return spool.close()
    },
  }
}

/** The session goes on after it: what had arrived is good. */
function isClients(error: unknown): boolean {
  return error instanceof OciError && error.code !== 'DENIED'
}

function requireOrder(spool: Spool, start: number | undefined): void {
  if (start === undefined || start === spool.written) return
  const detail = `This part begins at byte ${start}, but ${spool.written} bytes have arrived: go on from there.`
  throw new OciError('RANGE_INVALID', detail, { facts: { offset: spool.written } })
}

/** Hashed as they arrived, unless the client turns out to mean the other algorithm. */
async function digestInSpool(spool: Spool, digest: Digest, { algorithm }: Session): Promise<Digest> {
  const found = await spool.seal()
  return algorithmOf(digest) === algorithm ? found : hashSpool(spool, algorithmOf(digest))
}
