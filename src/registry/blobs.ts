/** GET and HEAD of a blob (distribution spec, end-2), with the ranges of RFC 9110 section 14. */
import type { Digest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { octetStream } from '../oci/media-types.ts'
import { type ByteRange, parseRange } from '../oci/range.ts'
import type { OpenBlob, Repository } from '../repository/repository.ts'
import type { Answer, Stream } from './answer.ts'
import { isHeld, isRangeMeant, notModified } from './conditional.ts'
import { errorAnswer } from './errors.ts'
import type { Head } from './guard.ts'
import { type HeaderMap, digestHeaders, freshnessHeaders } from './headers.ts'
import { digestNamed } from './references.ts'

/** HEAD asks the repository for facts only: it opens no body. */
export async function blobFacts(repository: Repository, text: string, head: Head): Promise<Answer> {
  const digest = digestNamed(text)
  const blob = await repository.stat(digest)
  if (!blob) throw unknown(digest)
  if (isHeld(head, digest)) return notModified(digest, blob)
  return { status: 200, headers: { ...blobHeaders(digest, blob.size), ...freshnessHeaders(blob) } }
}

/** @throws OciError BLOB_UNKNOWN 404, DIGEST_INVALID 400, or what the repository throws */
export async function blobAnswer(repository: Repository, text: string, head: Head): Promise<Answer | Stream> {
  const digest = digestNamed(text)
  // Before the Range (RFC 9110 section 13.2.2), and by facts: a download for a client that has the bytes would be in vain. Some registries
  // show no blob to HEAD before the first GET; that client gets the bytes again.
  const held = isHeld(head, digest) ? await repository.stat(digest) : undefined
  if (held) return notModified(digest, held)
  const range = rangeOf(head, digest)
  if (range === 'invalid') throw new OciError('RANGE_INVALID', 'The Range header is malformed.')
  try {
    const blob = await repository.blob(digest, range)
    if (!blob) throw unknown(digest)
    return streamOf(digest, blob)
  } catch (error) {
    if (error instanceof OciError && error.code === 'RANGE_INVALID') return unsatisfiable(repository, digest, error)
    throw error
  }
}

function streamOf(digest: Digest, blob: OpenBlob): Stream {
  const { span, bytes: source } = blob
  const fresh = freshnessHeaders(blob)
  if (!span) {
    const headers = { ...blobHeaders(digest, source.size), ...fresh }
    return { status: 200, headers, source, start: 0, end: source.size }
  }
  const headers = {
    ...blobHeaders(digest, span.end - span.start),
    'Content-Range': `bytes ${span.start}-${span.end - 1}/${source.size ?? '*'}`,
    ...fresh,
  }
  return { status: 206, headers, source, ...span }
}

function blobHeaders(digest: Digest, length: number | undefined): HeaderMap {
  return {
    'Content-Type': octetStream,
    ...(length !== undefined && { 'Content-Length': String(length) }),
    'Accept-Ranges': 'bytes',
    ...digestHeaders(digest),
  }
}

function rangeOf(head: Head, digest: Digest): ByteRange | 'invalid' | undefined {
  if (!isRangeMeant(head, digest)) return undefined
  const lines = head.header('range')
  const range = parseRange(lines.length > 1 ? lines.join(',') : lines[0])
  return range === 'whole' ? undefined : range
}

/** 416 should say how large the blob is; not knowing that is no reason to answer something else. */
async function unsatisfiable(repository: Repository, digest: Digest, error: OciError): Promise<Answer> {
  const blob = await repository.stat(digest).catch(() => undefined)
  const answer = errorAnswer(error)
  if (blob) Object.assign(answer.headers, { 'Content-Range': `bytes */${blob.size}` }, freshnessHeaders(blob))
  return answer
}

function unknown(digest: Digest): OciError {
  return new OciError('BLOB_UNKNOWN', `There is no blob ${digest} in this repository.`)
}
