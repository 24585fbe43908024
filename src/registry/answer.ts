/** What a handler gives back: plain data; `respond` writes it. */
import type { ByteSource } from '../oci/byte-source.ts'
import type { HeaderMap } from './headers.ts'

export interface Answer {
  status: number
  /** All headers but those that every answer has; the same for GET and HEAD. */
  headers: HeaderMap
  /** `respond` leaves it out where the request is a HEAD. */
  body?: Uint8Array
}

/** The bytes of a blob from `start` up to `end`, which is open where the size is not known yet. `respond` closes the source. */
export interface Stream {
  status: 200 | 206
  headers: HeaderMap
  source: ByteSource
  start: number
  end: number | undefined
}

export function jsonAnswer(status: number, mediaType: string, text: string, headers: HeaderMap = {}): Answer {
  return bytesAnswer(status, mediaType, Buffer.from(text), headers)
}

export function bytesAnswer(status: number, mediaType: string, body: Uint8Array, headers: HeaderMap = {}): Answer {
  return { status, headers: { 'Content-Type': mediaType, 'Content-Length': String(body.length), ...headers }, body }
}
