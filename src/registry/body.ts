/** The body of a request as it arrives: bounded in time by its progress, since one limit for all would cut long uploads or let stalled ones stay. */
import type { IncomingMessage } from 'node:http'
import { freeChunk } from '../oci/chunk.ts'
import { OciError } from '../oci/errors.ts'
import { arrivalsOf } from './arrivals.ts'
import type { Head } from './guard.ts'

export interface Body {
  /** Bytes that the client says will come; `undefined` where it does not (chunked). */
  length: number | undefined
  /**
   * Readable once, at the reader's pace: what is not read stays in the socket. A reader that stops early leaves the connection usable.
   * @throws OciError BLOB_UPLOAD_INVALID where the body breaks off, or comes too slowly
   */
  bytes: AsyncIterable<Uint8Array>
  /** The same for a reader that is done with each chunk when it asks for the next one: its memory is freed then. */
  passing: AsyncIterable<Uint8Array>
}

export interface Pace {
  /** ms that the reader may have to wait for `leastBytes`; time in which the reader itself is busy does not count. Default 60,000. */
  window?: number
  /** Default 60 KiB: 1 KiB a second. */
  leastBytes?: number
}

/** @throws OciError UNSUPPORTED 415 for an encoded body: digests are of the bytes as they are */
export function bodyOfIncoming(head: Head, incoming: IncomingMessage, pace: Pace = {}): Body {
  const length = lengthOf(head)
  const bytes = length === 0 ? nothing() : arriving(incoming, pace)
  return { length, bytes, passing: freed(bytes) }
}

/** Where there is no server there is no socket that could stall. */
export function bodyOfRequest(head: Head, request: Request): Body {
  // Its memory is the caller's.
  const bytes = request.body ?? nothing()
  return { length: request.body ? lengthOf(head) : 0, bytes, passing: bytes }
}

/** Whether a client that says so much sends a body at all. */
export function hasBody({ length }: Body): boolean {
  return length !== 0
}

function lengthOf(head: Head): number | undefined {
  const encodings = head.header('content-encoding').filter((encoding) => encoding.trim().toLowerCase() !== 'identity')
  if (encodings.length > 0)
    throw new OciError('UNSUPPORTED', 'Content is taken as it is: send it without a Content-Encoding.', { status: 415 })
  const [declared] = head.header('content-length')
  // A call without a server has neither header, however long its body is.
  if (declared === undefined) return head.over === 'call' || head.header('transfer-encoding').length > 0 ? undefined : 0
  const length = Number(declared)
  if (!Number.isSafeInteger(length))
    throw new OciError('SIZE_INVALID', 'The Content-Length is larger than any content.')
  return length
}

async function* nothing(): AsyncIterable<Uint8Array> {}

async function* arriving(incoming: IncomingMessage, pace: Pace): AsyncIterable<Uint8Array> {
  const { window = 60_000, leastBytes = 60 * 1024 } = pace
  const arrivals = arrivalsOf(incoming)
  let patience = window
  let came = 0
  try {
    for (;;) {
      const since = performance.now()
      const stalled = setTimeout(() => incoming.destroy(tooSlow(window)), patience)
      const chunk = await arrivals.next().finally(() => clearTimeout(stalled))
      if (!chunk) return
      came += chunk.length
      patience -= performance.now() - since
      if (came >= leastBytes) [patience, came] = [window, 0]
      yield chunk
    }
  } catch (error) {
    throw error instanceof OciError ? error : brokenOff(error)
  } finally {
    arrivals.stop()
  }
}

async function* freed(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const chunk of bytes) {
    try {
      yield chunk
    } finally {
      freeChunk(chunk)
    }
  }
}

function tooSlow(window: number): OciError {
  return new OciError('BLOB_UPLOAD_INVALID', `The body came too slowly: hardly a byte in ${window / 1000} s.`, {
    status: 408,
  })
}

function brokenOff(cause: unknown): OciError {
  return new OciError('BLOB_UPLOAD_INVALID', 'The body broke off before its end.', { cause })
}
