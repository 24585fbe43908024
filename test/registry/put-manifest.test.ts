/** Pushes of manifests, and deletes. */
import { describe, expect, test, vi } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { maxManifestBytes } from '../../src/oci/manifest.ts'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import { jsonBombs } from '../support/json-bombs.ts'
import { codeOf, openPushing } from './pushing.ts'
import { exchange, requestText } from './serve.ts'

const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(Buffer.from('{}')), size: 2 }
const subject = { mediaType: ociManifest, digest: digestOf(Buffer.from('subject')), size: 7 }
const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [] }))
const digest = digestOf(manifest)
const typed = { 'Content-Type': ociManifest }
const path = '/v2/team/app/manifests'

describe('a manifest', () => {
  test.each(['1.0', digest])('is pushed as %s byte for byte, with its type', async (reference) => {
    const { send, hosted } = await openPushing()
    const answer = await send('PUT', `${path}/${reference}`, { body: manifest, headers: typed })
    expect(answer.status).toBe(201)
    expect(answer.headers).toMatchObject({
      location: `${path}/${digest}`,
      'docker-content-digest': digest,
      'content-length': '0',
    })
    expect(answer.headers).not.toHaveProperty('oci-subject')
    expect(answer.headers).not.toHaveProperty('oci-tag')
    expect(hosted.manifests.get(digest)).toEqual({ bytes: manifest, mediaType: ociManifest })
  })

  test('says which subject was taken', async () => {
    const { send } = await openPushing()
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [], subject }))
    expect((await send('PUT', `${path}/1`, { body, headers: typed })).headers['oci-subject']).toBe(subject.digest)
  })

  test('gets all tags of the query, and says so', async () => {
    const { send, hosted } = await openPushing()
    const answer = await send('PUT', `${path}/${digest}?tag=1.2.3&tag=1.2&tag=1.2`, { body: manifest, headers: typed })
    expect([answer.status, answer.headers['oci-tag']]).toEqual([201, '1.2.3, 1.2'])
    expect([...hosted.tagged.keys()]).toEqual(['1.2.3', '1.2'])
  })

  test.each([
    'application/vnd.oci.artifact.manifest.v1+json',
    'application/vnd.cncf.oras.artifact.manifest.v1+json',
    'application/vnd.example.of-tomorrow.v7+json',
  ])('may have the type %s', async (type) => {
    const { send, hosted } = await openPushing()
    const answer = await send('PUT', `${path}/1`, { body: manifest, headers: { 'Content-Type': type } })
    expect([answer.status, hosted.manifests.get(digest)?.mediaType]).toEqual([201, type])
  })

  test('may come without a length, and with parameters in its type', async () => {
    const { port, hosted } = await openPushing()
    const headers = { 'Transfer-Encoding': 'chunked', 'Content-Type': `${ociManifest}; charset=utf-8` }
    const body = `${manifest.length.toString(16)}\r\n${manifest.toString()}\r\n0\r\n\r\n`
    expect((await exchange(port, requestText('PUT', `${path}/1`, headers) + body)).status).toBe(201)
    expect(hosted.manifests.get(digest)?.mediaType).toBe(ociManifest)
  })

  test.each([
    ['.bad', 'TAG_INVALID', typed],
    ['1?tag=.bad', 'TAG_INVALID', typed],
    ['sha256:bad', 'DIGEST_INVALID', typed],
    [digestOf(Buffer.from('other')), 'DIGEST_INVALID', typed],
    ['1', 'MANIFEST_INVALID', {}],
    ['1', 'MANIFEST_INVALID', { 'Content-Type': 'json' }],
    ['1', 'MANIFEST_INVALID', { 'Content-Type': 'text/html' }],
    ['1', 'MANIFEST_INVALID', { 'Content-Type': 'image/svg+xml' }],
    ['1', 'MANIFEST_INVALID', { 'Content-Type': 'application/xhtml+xml; charset=utf-8' }],
    ['1', 'MANIFEST_INVALID', { 'Content-Type': 'application/vnd.example+xml' }],
    ['1', 'MANIFEST_INVALID', { 'Content-Type': 'application/json' }],
  ])('as %s is 400 %s', async (reference, code, headers) => {
    const { send, hosted } = await openPushing()
    const answer = await send('PUT', `${path}/${reference}`, { body: manifest, headers })
    expect([answer.status, codeOf(answer), hosted.manifests.size]).toEqual([400, code, 0])
  })

  test('of exactly 4 MiB is taken', async () => {
    const { send, hosted } = await openPushing()
    const body = Buffer.concat([manifest, Buffer.alloc(maxManifestBytes - manifest.length, ' ')])
    expect((await send('PUT', `${path}/1`, { body, headers: typed })).status).toBe(201)
    expect(hosted.manifests.get(digestOf(body))?.bytes.length).toBe(maxManifestBytes)
  })

  test('of one byte more is 413, declared or not', async () => {
    const { port, hosted } = await openPushing()
    const declared = requestText('PUT', `${path}/1`, { ...typed, 'Content-Length': String(maxManifestBytes + 1) })
    const body = `${(maxManifestBytes + 1).toString(16)}\r\n${' '.repeat(maxManifestBytes + 1)}\r\n0\r\n\r\n`
    const streamed = requestText('PUT', `${path}/1`, { ...typed, 'Transfer-Encoding': 'chunked' }) + body
    for (const request of [declared, streamed]) {
      const answer = await exchange(port, request)
      expect([answer.status, codeOf(answer)]).toEqual([413, 'MANIFEST_INVALID'])
    }
    expect(hosted.manifests.size).toBe(0)
  })

  test('has its turn where many large ones come at once', async () => {
    const { send, hosted } = await openPushing({ intake: { most: 1, small: 0 } })
    const bodies = Array.from({ length: 8 }, (_, index) => Buffer.concat([manifest, Buffer.alloc(index, ' ')]))
    const answers = await Promise.all(
      bodies.map((body, index) => send('PUT', `${path}/${index}`, { body, headers: typed })),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 201))
    expect(hosted.manifests.size).toBe(8)
  })
})

describe('what is no manifest', () => {
  test.each(jsonBombs)('a bomb of $shape is refused before anything parses it', async ({ body }) => {
    const { send, hosted } = await openPushing({ lingerFor: 200 })
    const parse = vi.spyOn(JSON, 'parse')
    const answer = await send('PUT', `${path}/1`, { body, headers: typed })
    const parsed = parse.mock.calls.length
    parse.mockRestore()
    expect([answer.status, parsed, hosted.manifests.size]).toEqual([400, 0, 0])
    expect(codeOf(answer)).toBe('MANIFEST_INVALID')
  })

  const ambiguous: [name: string, type: string, document: object][] = [
    ['an index with layers', ociIndex, { schemaVersion: 2, manifests: [], layers: [] }],
    ['an index with a config', ociIndex, { schemaVersion: 2, manifests: [], config }],
    ['an image with manifests', ociManifest, { schemaVersion: 2, config, layers: [], manifests: [] }],
    ['an image sent as an index', ociIndex, { schemaVersion: 2, mediaType: ociManifest, config, layers: [] }],
    ['an index sent as an image', ociManifest, { schemaVersion: 2, mediaType: ociIndex, manifests: [] }],
    ['members in another case', ociManifest, { schemaVersion: 2, config, Layers: [], layers: [] }],
    ['no config', ociManifest, { schemaVersion: 2, layers: [] }],
    ['schema 1', 'application/vnd.docker.distribution.manifest.v1+json', { schemaVersion: 1 }],
  ]
  test.each(ambiguous)('%s is 400', async (_name, type, document) => {
    const { send, hosted } = await openPushing()
    const body = Buffer.from(JSON.stringify(document))
    const answer = await send('PUT', `${path}/1`, { body, headers: { 'Content-Type': type } })
    expect(answer.status).toBe(400)
    expect(hosted.manifests.size).toBe(0)
  })

  test('a member called __proto__ changes nothing', async () => {
    const { send, hosted } = await openPushing()
    const body = Buffer.from(
      `{"__proto__":{"polluted":1},"schemaVersion":2,"config":${JSON.stringify(config)},"layers":[]}`,
    )
    expect((await send('PUT', `${path}/1`, { body, headers: typed })).status).toBe(201)
    expect(hosted.manifests.get(digestOf(body))?.bytes).toEqual(body)
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })
})

describe('DELETE', () => {
  test('of a tag, a manifest and a blob is 202, and 404 once they are gone', async () => {
    const { send } = await openPushing()
    await send('POST', `/v2/team/app/blobs/uploads/?digest=${config.digest}`, { body: Buffer.from('{}') })
    await send('PUT', `${path}/1`, { body: manifest, headers: typed })
    const targets = [`${path}/1`, `${path}/${digest}`, `/v2/team/app/blobs/${config.digest}`]
    for (const [target, code] of targets.map((one) => [one, one.includes('blobs') ? 'BLOB' : 'MANIFEST'] as const)) {
      expect((await send('DELETE', target)).status).toBe(202)
      expect((await send('HEAD', target, { headers: { 'Content-Length': '0' } })).status).toBe(404)
      const again = await send('DELETE', target)
      expect([again.status, codeOf(again)]).toEqual([404, `${code}_UNKNOWN`])
    }
  })

  test.each([
    [`${path}/.bad`, 'TAG_INVALID'],
    [`${path}/^1.2`, 'TAG_INVALID'],
    [`${path}/sha256:bad`, 'DIGEST_INVALID'],
    ['/v2/team/app/blobs/bad', 'DIGEST_INVALID'],
  ])('of %s is 400', async (target, code) => {
    const { send } = await openPushing()
    const answer = await send('DELETE', target)
    expect([answer.status, codeOf(answer)]).toEqual([400, code])
  })
})

test.each([
  ['PATCH', `${path}/1`, 'GET, HEAD, PUT, DELETE'],
  ['PUT', `/v2/team/app/blobs/${digest}`, 'GET, HEAD, DELETE'],
  ['DELETE', '/v2/team/app/tags/list', 'GET, HEAD'],
  ['POST', `/v2/team/app/referrers/${digest}`, 'GET, HEAD'],
  ['GET', '/v2/team/app/blobs/uploads/', 'POST'],
])('%s %s of a hosted repository is 405 with Allow: %s', async (method, target, allow) => {
  const { send } = await openPushing()
  const answer = await send(method, target)
  expect([answer.status, answer.headers.allow]).toEqual([405, allow])
})
