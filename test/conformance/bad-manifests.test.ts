/** Manifests that are malformed, or that two readers could read differently: each is refused in the spec's words, and nothing of it is kept. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import { parseAnswer, readToEnd, requestText } from '../registry/serve.ts'
import { base, blob, config, digest, expectRefused, type Pushed, startPushed } from './pushed.ts'

const image = { schemaVersion: 2, mediaType: ociManifest, config, layers: [] as object[] }
const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [config] }
const text = JSON.stringify
const other = { mediaType: 'a/b', digest, size: blob.length }
const fourMebibytes = 4 * 1024 * 1024

let pushed: Pushed

beforeAll(async () => void (pushed = await startPushed()))

afterAll(() => pushed?.daemon.stop())

function put(reference: string, body: Uint8Array | string, headers: Record<string, string> = {}) {
  return pushed.send('PUT', `${base}/manifests/${reference}`, Buffer.from(body), {
    'Content-Type': ociManifest,
    ...headers,
  })
}

type Row = [what: string, body: string | Buffer, type?: string]

const unreadable: Row[] = [
  ['nothing', ''],
  ['nothing, as an index', '', ociIndex],
  ['a byte order mark', `\uFEFF${text(image)}`],
  ['UTF-16', Buffer.from(text(image), 'utf16le')],
  ['invalid UTF-8', Buffer.from(text({ ...image, x: '?' }).replace('?', '\u00ff'), 'latin1')],
  ['gzip', Buffer.from('1f8b0800000000000003', 'hex')],
  ['half a document', text(image).slice(0, -9)],
  ['two documents', text(image) + text(image)],
  ['a comment', `${text(image)}// x`],
  ['a NUL at the end', `${text(image)}\0`],
  ['33 levels', text({ ...image, x: 0 }).replace('0}', `${'['.repeat(33)}${']'.repeat(33)}}`)],
]

const malformed: Row[] = [
  ['no config', text({ ...image, config: undefined })],
  ['a config that is null', text({ ...image, config: null })],
  ['a config under __proto__ alone', `{"__proto__":{"config":${text(config)}},"schemaVersion":2,"layers":[]}`],
  ['layers that are an object', text({ ...image, layers: {} })],
  ['a layer that is null', text({ ...image, layers: [null] })],
  ['schemaVersion 3', text({ ...image, schemaVersion: 3 })],
  ['schemaVersion as text', text({ ...image, schemaVersion: '2' })],
  ['a size as text', text({ ...image, config: { ...config, size: '2' } })],
  ['a size of half a byte', text({ ...image, config: { ...config, size: 1.5 } })],
  ['a size past 2^53', text(index).replace('"size":2', '"size":9007199254740993'), ociIndex],
  ['a size past all numbers', text(index).replace('"size":2', '"size":1e999'), ociIndex],
  ['a subject without a type', text({ ...image, subject: { digest, size: 1 } })],
  ['a subject that is a list', text({ ...image, subject: [] })],
  ['annotations that are a list', text({ ...image, annotations: [] })],
  ['an annotation that is a number', text({ ...image, annotations: { a: 1 } })],
  ['an annotation that is null', text({ ...image, annotations: { a: null } })],
  ['data of other content', text({ ...image, config: { ...config, data: Buffer.from('[]').toString('base64') } })],
  ['data that is cut short', text({ ...image, config: { ...config, data: 'ew==' } })],
  ['data that is no base64', text({ ...image, config: { ...config, data: '{}' } })],
  ['data that is no text', text({ ...image, config: { ...config, data: 5 } })],
]

const ambiguous: Row[] = [
  ['an index with layers', text({ ...index, layers: [] }), ociIndex],
  ['an image with manifests', text({ ...image, manifests: [] })],
  ['an index, sent as an image', text(index)],
  ['layers twice', text(image).replace('"layers":[]', `"layers":[${text(other)}],"layers":[]`)],
  ['a config twice, which Go merges', text(image).replace('"config":', '"config":{"data":"e30="},"config":')],
  ['a digest twice', text(image).replace('"digest":', `"digest":"${digest}","digest":`)],
  ['a size twice', text(image).replace('"size":2', '"size":1,"size":2')],
  ['one member twice, one spelled with an escape', text(image).replace('"layers":[]', '"layers":[],"layer\\u0073":[]')],
  ['an annotation twice', text({ ...image, annotations: { a: 'x' } }).replace('"a":"x"', '"a":"x","a":"y"')],
  ['Layers, which Go reads as layers', text({ ...image, Layers: [other] })],
  ['layer\u017f, which Go reads as layers', text({ ...image, 'layer\u017f': [other] })],
  ['Digest in a descriptor', text({ ...image, config: { ...config, Digest: digest } })],
  ['\u017fize in a descriptor', text({ ...image, config: { ...config, '\u017fize': 7 } })],
]

describe.each([
  ['that cannot be read', unreadable],
  ['that is malformed', malformed],
  ['with two readings', ambiguous],
])('a manifest %s', (_kind, rows) => {
  test.each(rows)('(%s) is 400 by tag and by digest', async (_what, body, type = ociManifest) => {
    for (const reference of ['1.0', digestOf(Buffer.from(body))]) {
      expectRefused(await put(reference, body, { 'Content-Type': type }), 400, 'MANIFEST_INVALID')
      expect((await pushed.send('GET', `${base}/manifests/${reference}`)).status).toBe(404)
    }
    await pushed.expectNothingKept()
  })
})

describe('a manifest', () => {
  test.each([
    ['application/vnd.docker.distribution.manifest.v1+json', 400, 'UNSUPPORTED'],
    ['application/vnd.docker.distribution.manifest.v1+prettyjws', 400, 'UNSUPPORTED'],
    [ociManifest.toUpperCase(), 400, 'MANIFEST_INVALID'],
    [`${ociManifest}, ${ociIndex}`, 400, 'MANIFEST_INVALID'],
    ['', 400, 'MANIFEST_INVALID'],
  ])('that comes as %j is %i %s', async (type, status, code) => {
    expectRefused(await put('1.0', text(image), { 'Content-Type': type }), status, code)
    await pushed.expectNothingKept()
  })

  test('of schemaVersion 1 is 400', async () => {
    expectRefused(await put('1.0', text({ ...image, schemaVersion: 1 })), 400, 'UNSUPPORTED')
    await pushed.expectNothingKept()
  })

  test('with two Content-Types is 400', async () => {
    const body = text(image)
    const head = requestText('PUT', `${base}/manifests/1.0`, { 'Content-Length': String(body.length) })
    const types = `Content-Type: ${ociManifest}\r\nContent-Type: ${ociIndex}\r\n`
    const answer = await raw(head.replace('\r\n\r\n', `\r\n${types}\r\n`) + body)
    expectRefused(answer, 400, 'MANIFEST_INVALID')
    await pushed.expectNothingKept()
  })

  test('that is encoded is 415', async () => {
    expectRefused(await put('1.0', text(image), { 'Content-Encoding': 'gzip' }), 415, 'UNSUPPORTED')
    await pushed.expectNothingKept()
  })

  test('of more than 4 MiB is 413, declared or not', async () => {
    const headers = { 'Content-Type': ociManifest }
    const target = `${base}/manifests/1.0`
    const declared = requestText('PUT', target, { ...headers, 'Content-Length': String(fourMebibytes + 1) })
    expectRefused(await raw(declared), 413, 'MANIFEST_INVALID')
    const chunk = `${(fourMebibytes + 1).toString(16)}\r\n${' '.repeat(fourMebibytes + 1)}\r\n0\r\n\r\n`
    const streamed = requestText('PUT', target, { ...headers, 'Transfer-Encoding': 'chunked' })
    expectRefused(await raw(streamed + chunk), 413, 'MANIFEST_INVALID')
    await pushed.expectNothingKept()
  })

  test('whose client leaves in the middle is nothing', async () => {
    const head = requestText('PUT', `${base}/manifests/1.0`, { 'Content-Type': ociManifest, 'Content-Length': '1000' })
    const socket = connect(pushed.port, '127.0.0.1')
    socket.end(head + text(image))
    const answer = parseAnswer(await readToEnd(socket))
    expect([400, Number.NaN]).toContain(answer.status)
    await pushed.expectNothingKept()
  })
})

describe('a reference', () => {
  const long = 'a'.repeat(129)
  test.each([
    [long, 'TAG_INVALID'],
    ['.bad', 'TAG_INVALID'],
    ['a%00', 'TAG_INVALID'],
    ['%C3%A9', 'TAG_INVALID'],
    ['..', 'NAME_INVALID'],
    ['%2e%2e', 'NAME_INVALID'],
    ['sha256:abc', 'DIGEST_INVALID'],
    ['md5:d41d8cd98f00b204e9800998ecf8427e', 'DIGEST_INVALID'],
    [`sha512:${'a'.repeat(64)}`, 'DIGEST_INVALID'],
    [config.digest.toUpperCase(), 'DIGEST_INVALID'],
    [digest, 'DIGEST_INVALID'],
    [digestOf(blob, 'sha512'), 'DIGEST_INVALID'],
    ['1.0?tag=', 'TAG_INVALID'],
    [`1.0?tag=${long}`, 'TAG_INVALID'],
    ['1.0?tag=a&tag=b%2Fc', 'TAG_INVALID'],
    ['1.0?tag=%00', 'TAG_INVALID'],
    [`1.0?tag=${config.digest}`, 'TAG_INVALID'],
  ])('that is %s is 400 %s', async (reference, code) => {
    expectRefused(await put(reference, text(image)), 400, code)
    await pushed.expectNothingKept()
  })

  test.each([
    '/v2/local/../app',
    '/v2/local/%2e%2e/app',
    '/v2/local//app',
    '/v2/local/App',
    '/v2/local/a%00',
    `/v2/local/${'a'.repeat(250)}`,
  ])('in %s is 400: that is no name', async (repository) => {
    const answer = await pushed.send('PUT', `${repository}/manifests/1.0`, Buffer.from(text(image)), {
      'Content-Type': ociManifest,
    })
    expectRefused(answer, 400, 'NAME_INVALID')
    expectRefused(await pushed.send('POST', `${repository}/blobs/uploads/`, Buffer.alloc(0)), 400, 'NAME_INVALID')
    await pushed.expectNothingKept()
  })
})

test('what was refused can be sent right: tags of 128 characters and names like __proto__ are tags', async () => {
  for (const tag of ['a'.repeat(128), '__proto__', 'constructor']) {
    expect((await put(tag, text(image))).status).toBe(201)
    const answer = await pushed.send('GET', `${base}/manifests/${tag}`, undefined, { Accept: ociManifest })
    expect([answer.status, answer.body.toString()]).toEqual([200, text(image)])
    expect((await pushed.send('DELETE', `${base}/manifests/${tag}`, Buffer.alloc(0))).status).toBe(202)
  }
  expect((await put('data', text({ ...image, config: { ...config, data: 'e30=' } }))).status).toBe(201)
})

async function raw(request: string) {
  const socket = connect(pushed.port, '127.0.0.1')
  socket.write(request)
  return parseAnswer(await readToEnd(socket))
}
