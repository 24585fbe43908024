/** Uploads of blobs (distribution spec, "Pushing blobs"; end-4, 5, 6, 11, 13, 14). */
import type { RepositoryKey } from '../catalog/records.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, parseDigest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { parseName } from '../oci/name.ts'
import type { Upload } from '../repository/hosted.ts'
import type { Answer } from './answer.ts'
import { type Body, hasBody } from './body.ts'
import { type Chunk, readChunk } from './content-range.ts'
import { errorAnswer } from './errors.ts'
import type { HeaderMap } from './headers.ts'
import { locationOf } from './locations.ts'
import { type Push, shareOf } from './push.ts'
import type { Named } from './target.ts'

type Session = { id: string } & Named

const idPattern = /^[\w-]{1,128}$/

/**
 * POST: a new session, or what makes one needless: a mount, or the whole blob at once.
 * @throws OciError DIGEST_INVALID 400, or what the repository throws
 */
export async function startUpload(push: Push, target: Named): Promise<Answer> {
  const mounted = digestIn(target, 'mount')
  if (mounted && (await mount(push, target, mounted))) return stored(push, target, mounted)
  const digest = digestIn(target, 'digest')
  if (digest && !mounted) return uploadWhole(push, target, digest)
  const algorithm = mounted ? algorithmOf(mounted) : algorithmIn(target)
  const upload = await push.repository.startUpload({ by: push.served.client.name, share: shareOf(push), algorithm })
  return { status: 202, headers: sessionHeaders(push, target, upload) }
}

/** PATCH: a chunk, in its place by Content-Range, or a stream without one. @throws OciError BLOB_UPLOAD_UNKNOWN 404, SIZE_INVALID 400 */
export function appendChunk(push: Push, target: Session): Promise<Answer> {
  return inSession(push, target, async (upload) => {
    await append(upload, push.body, readChunk(push.head, push.body.length))
    return { status: 202, headers: sessionHeaders(push, target, upload) }
  })
}

/** PUT: the last chunk, where there is one, and the digest of all. @throws OciError DIGEST_INVALID 400, BLOB_UPLOAD_UNKNOWN 404 */
export function finishUpload(push: Push, target: Session): Promise<Answer> {
  const digest = digestIn(target, 'digest')
  if (!digest)
    throw new OciError('DIGEST_INVALID', 'The query names no digest: add digest=sha256:... of the whole blob.')
  return inSession(push, target, async (upload) => {
    const chunk = readChunk(push.head, push.body.length)
    if (chunk || hasBody(push.body)) await append(upload, push.body, chunk)
    await upload.commit(digest)
    return stored(push, target, digest)
  })
}

/** GET: how far it is, for a client that lost count. */
export function uploadState(push: Push, target: Session): Promise<Answer> {
  return inSession(push, target, async (upload) => ({ status: 204, headers: sessionHeaders(push, target, upload) }))
}

export function cancelUpload(push: Push, target: Session): Promise<Answer> {
  return inSession(push, target, async (upload) => {
    await upload.cancel()
    return { status: 204, headers: {} }
  })
}

/** A 416 says where to go on. */
async function inSession(push: Push, target: Session, act: (upload: Upload) => Promise<Answer>): Promise<Answer> {
  const upload = idPattern.test(target.id)
    ? await push.repository.upload(target.id, push.served.client.name)
    : undefined
  if (!upload)
    throw new OciError('BLOB_UPLOAD_UNKNOWN', 'There is no such upload in this repository, or it has expired.')
  try {
    return await act(upload)
  } catch (error) {
    if (!(error instanceof OciError) || error.code !== 'RANGE_INVALID') throw error
    const answer = errorAnswer(error)
    Object.assign(answer.headers, sessionHeaders(push, target, upload))
    answer.headers['Content-Length'] = String(answer.body?.length ?? 0)
    return answer
  }
}

/** Nobody learns of a session whose only request failed, so nobody could go on with it. */
async function uploadWhole(push: Push, target: Named, digest: Digest): Promise<Answer> {
  const { repository, body, served } = push
  const upload = await repository.startUpload({
    by: served.client.name,
    share: shareOf(push),
    size: body.length,
    algorithm: algorithmOf(digest),
  })
  try {
    await append(upload, body, undefined)
    await upload.commit(digest)
  } catch (error) {
    await upload.cancel().catch(() => undefined)
    throw error
  }
  return stored(push, target, digest)
}

function append(upload: Upload, body: Body, chunk: Chunk | undefined): Promise<void> {
  return upload.append(body.passing, chunk?.start, chunk?.length ?? body.length)
}

/** From the repository that the client names, or from any; of those that it may read. Where none has it, the client uploads. */
async function mount({ repository, served }: Push, { query }: Named, digest: Digest): Promise<boolean> {
  const from = query.get('from') ?? ''
  const sources = from === '' ? await repository.holders(digest) : sourceNamed(served.resolve, from)
  for (const source of sources) {
    if (!served.client.mayPull(`${source.origin}/${source.name}`)) continue
    if (await repository.mount(digest, source)) return true
  }
  return false
}

/** None where no repository has that name: the client uploads then. */
function sourceNamed(resolve: Push['served']['resolve'], from: string): RepositoryKey[] {
  try {
    const { key } = resolve(from, undefined).repository
    const slash = key.indexOf('/')
    const name = parseName(key.slice(slash + 1))
    return name ? [{ origin: key.slice(0, slash), name }] : []
  } catch (error) {
    if (error instanceof OciError) return []
    throw error
  }
}

function stored({ head }: Push, target: Named, digest: Digest): Answer {
  const location = locationOf(head, target, { blob: digest })
  return { status: 201, headers: { Location: location, 'Docker-Content-Digest': digest, 'Content-Length': '0' } }
}

/** Clients read a Range of `0-0` as no more than that the session is there. */
function sessionHeaders({ head }: Push, target: Named, { id, offset }: Upload): HeaderMap {
  return {
    Location: locationOf(head, target, { upload: id }),
    Range: `0-${Math.max(0, offset - 1)}`,
    'Docker-Upload-UUID': id,
    ...(head.method !== 'GET' && head.method !== 'HEAD' && { 'Content-Length': '0' }),
  }
}

function digestIn({ query }: Named, parameter: 'digest' | 'mount'): Digest | undefined {
  const [text, ...more] = new Set(query.getAll(parameter))
  if (text === undefined) return undefined
  const digest = more.length === 0 ? parseDigest(text) : undefined
  if (!digest)
    throw new OciError('DIGEST_INVALID', `The query has a ${parameter}= that is no single sha256 or sha512 digest.`)
  return digest
}

/** As the spec has it: what the registry should hash with. */
function algorithmIn({ query }: Named): DigestAlgorithm | undefined {
  const text = query.get('digest-algorithm')
  if (text === null || text === 'sha256' || text === 'sha512') return text ?? undefined
  throw new OciError('DIGEST_INVALID', 'The digest-algorithm is neither sha256 nor sha512.')
}
