/** The Content-Range of a chunk (distribution spec, "Pushing a blob in chunks"): `<first>-<last>`, both inclusive; no unit, no size. */
import { OciError } from '../oci/errors.ts'
import type { Head } from './guard.ts'

export interface Chunk {
  start: number
  /** Bytes. */
  length: number
}

// Some clients write it as RFC 9110 section 14.4 does.
const pattern = /^(?:bytes[ =])?(\d{1,16})-(\d{1,16})(?:\/(?:(\d{1,16})|\*))?$/

/**
 * `undefined` where the client names none: the body goes on where the last one ended.
 * @throws OciError BLOB_UPLOAD_INVALID where it is none, SIZE_INVALID where the Content-Length says something else
 */
export function readChunk(head: Head, contentLength: number | undefined): Chunk | undefined {
  const values = head.header('content-range')
  if (values.length === 0) return undefined
  const [, first, last, size] = pattern.exec(values.join().trim()) ?? []
  const [start, end] = [Number(first), Number(last)]
  const isWithin = size === undefined || end < Number(size)
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || end < start || !isWithin)
    throw new OciError('BLOB_UPLOAD_INVALID', 'The Content-Range is none: write it as <first byte>-<last byte>.')
  const length = end - start + 1
  if (contentLength !== undefined && contentLength !== length)
    throw new OciError('SIZE_INVALID', `The Content-Range says ${length} bytes, the Content-Length ${contentLength}.`)
  return { start, length }
}
