/** What a correct little registry holds, and how it answers when nothing else is scripted. */
import type { IncomingMessage as Incoming, ServerResponse } from 'node:http'
import { type Digest, parseDigest } from '../../src/oci/digest.ts'
import { ociIndex } from '../../src/oci/media-types.ts'

export type Handler = (request: Incoming, response: ServerResponse) => void | Promise<void>

interface StoredManifest {
  bytes: Buffer
  mediaType: string
}

export interface Content {
  manifests: Map<string, StoredManifest>
  tags: Map<string, Digest>
  blobs: Map<string, Buffer>
}

/** GET and HEAD as the distribution spec has them; `referrers`: whether that API exists. */
export function createDefault(repositories: Map<string, Content>, referrers: boolean): Handler {
  return (request, response) => {
    const target = new URL(request.url ?? '/', 'http://registry')
    response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0')
    if (request.method !== 'GET' && request.method !== 'HEAD') return sendError(request, response, 405, 'UNSUPPORTED')
    if (target.pathname === '/v2/') return send(request, response, 200, Buffer.from('{}'), 'application/json')
    const route = /^\/v2\/(.+)\/(manifests|blobs|tags|referrers)\/([^/]+)$/.exec(target.pathname)
    if (!route) return sendError(request, response, 404, 'NOT_FOUND')
    const [, name = '', kind = '', reference = ''] = route
    const content = repositories.get(name)
    if (kind === 'manifests') return sendManifest(request, response, content, decodeURIComponent(reference))
    if (kind === 'blobs') return sendBlob(request, response, content?.blobs.get(reference), reference)
    if (kind === 'tags') return sendTags(request, response, content, name, target.searchParams)
    if (!referrers) return sendError(request, response, 404, 'NOT_FOUND')
    return sendReferrers(request, response, content, reference)
  }
}

function sendManifest(
  request: Incoming,
  response: ServerResponse,
  content: Content | undefined,
  reference: string,
): void {
  const digest = parseDigest(reference) ?? content?.tags.get(reference)
  const manifest = digest && content?.manifests.get(digest)
  if (!digest || !manifest) return sendError(request, response, 404, 'MANIFEST_UNKNOWN')
  response.setHeader('Docker-Content-Digest', digest)
  response.setHeader('ETag', `"${digest}"`)
  return send(request, response, 200, manifest.bytes, manifest.mediaType)
}

function sendBlob(request: Incoming, response: ServerResponse, blob: Buffer | undefined, digest: string): void {
  if (!blob) return sendError(request, response, 404, 'BLOB_UNKNOWN')
  response.setHeader('Docker-Content-Digest', digest)
  response.setHeader('ETag', `"${digest}"`)
  response.setHeader('Accept-Ranges', 'bytes')
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  if (!range) return send(request, response, 200, blob, 'application/octet-stream')
  const start = Number(range[1])
  const end = range[2] ? Math.min(Number(range[2]) + 1, blob.length) : blob.length
  if (start >= blob.length || end <= start) {
    response.setHeader('Content-Range', `bytes */${blob.length}`)
    return sendError(request, response, 416, 'RANGE_INVALID')
  }
  response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${blob.length}`)
  return send(request, response, 206, blob.subarray(start, end), 'application/octet-stream')
}

function sendTags(
  request: Incoming,
  response: ServerResponse,
  content: Content | undefined,
  name: string,
  query: URLSearchParams,
): void {
  if (!content) return sendError(request, response, 404, 'NAME_UNKNOWN')
  const last = query.get('last')
  const left = [...content.tags.keys()].toSorted().filter((tag) => last === null || tag > last)
  const n = query.get('n')
  const tags = n === null ? left : left.slice(0, Number(n))
  const next = tags.at(-1)
  if (next !== undefined && tags.length < left.length) {
    response.setHeader('Link', `</v2/${name}/tags/list?last=${encodeURIComponent(next)}&n=${n}>; rel="next"`)
  }
  return send(request, response, 200, Buffer.from(JSON.stringify({ name, tags })), 'application/json')
}

function sendReferrers(
  request: Incoming,
  response: ServerResponse,
  content: Content | undefined,
  subject: string,
): void {
  const manifests = [...(content?.manifests ?? [])].flatMap(([digest, { bytes, mediaType }]) => {
    const manifest: { subject?: { digest?: string }; artifactType?: string; annotations?: object } = JSON.parse(
      bytes.toString(),
    )
    if (manifest.subject?.digest !== subject) return []
    const { artifactType, annotations } = manifest
    return [{ mediaType, digest, size: bytes.length, artifactType, annotations }]
  })
  const index = { schemaVersion: 2, mediaType: ociIndex, manifests }
  return send(request, response, 200, Buffer.from(JSON.stringify(index)), ociIndex)
}

function sendError(request: Incoming, response: ServerResponse, status: number, code: string): void {
  const body = JSON.stringify({ errors: [{ code, message: `scripted registry: ${code.toLowerCase()}` }] })
  send(request, response, status, Buffer.from(body), 'application/json')
}

function send(
  request: Incoming,
  response: ServerResponse,
  status: number,
  body: Uint8Array,
  contentType: string,
): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': body.length })
  response.end(request.method === 'HEAD' ? undefined : body)
}
