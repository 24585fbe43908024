/** Pushes that break the rules, against the daemon: each is refused in the spec's words, and nothing of it is kept. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import { open, parseAnswer, readToEnd, requestText } from '../registry/serve.ts'
import { base, blob, config, digest, expectRefused, type Pushed, startPushed } from './pushed.ts'

const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: blob.length }

let pushed: Pushed

beforeAll(async () => void (pushed = await startPushed()))

afterAll(() => pushed?.daemon.stop())

const send: Pushed['send'] = (...request) => pushed.send(...request)
const expectNothingKept: Pushed['expectNothingKept'] = (location) => pushed.expectNothingKept(location)

describe('a blob', () => {
  test.each([
    ['of another digest', blob.subarray(1), {}, 'DIGEST_INVALID'],
    ['that is cut short, by its Content-Range', blob.subarray(1), { 'Content-Range': '0-99999' }, 'SIZE_INVALID'],
    ['that is too long, by its Content-Range', blob, { 'Content-Range': '0-99998' }, 'SIZE_INVALID'],
    ['with a Content-Range that is none', blob, { 'Content-Range': 'all of it' }, 'BLOB_UPLOAD_INVALID'],
  ])('%s is 400', async (_how, body, headers, code) => {
    const location = await pushed.startUpload()
    expectRefused(await send('PUT', `${location}?digest=${digest}`, body, headers), 400, code)
    await expectNothingKept(location)
  })

  test('of another digest in a single POST is 400', async () => {
    expectRefused(
      await send('POST', `${base}/blobs/uploads/?digest=${digest}`, blob.subarray(1)),
      400,
      'DIGEST_INVALID',
    )
    await expectNothingKept()
  })

  test('whose chunks come out of order is 416, and can still be pushed', async () => {
    const location = await pushed.startUpload()
    const late = await send('PATCH', location, blob.subarray(50_000), { 'Content-Range': '50000-99999' })
    expectRefused(late, 416, 'RANGE_INVALID')
    expect(late.headers).toMatchObject({ location, range: '0-0' })
    await expectNothingKept(location)
  })

  test('of which two chunks come at once: the second is 416, and the first goes on', async () => {
    const location = await pushed.startUpload()
    const socket = await open(pushed.port)
    socket.write(requestText('PATCH', location, { 'Content-Length': String(blob.length) }))
    socket.write(blob.subarray(0, 1000))
    await expect.poll(async () => (await send('PATCH', location, blob)).status).toBe(416)
    socket.write(blob.subarray(1000))
    expect(parseAnswer(await readToEnd(socket))).toMatchObject({ status: 202, headers: { range: '0-99999' } })
    await expectNothingKept(location)
  })

  test('whose client leaves can go on where it broke off', async () => {
    const location = await pushed.startUpload()
    const socket = await open(pushed.port)
    socket.write(requestText('PATCH', location, { 'Content-Length': String(blob.length) }))
    socket.write(blob.subarray(0, 1000))
    // What has not been taken when the connection breaks is gone with it.
    await expect.poll(async () => (await send('GET', location)).headers.range).toBe('0-999')
    socket.destroy()
    const goOn = () => send('PATCH', location, blob.subarray(1000), { 'Content-Range': '1000-99999' })
    await expect.poll(async () => (await goOn()).status, { timeout: 10_000 }).toBe(202)
    expect((await send('GET', location)).headers.range).toBe('0-99999')
    await expectNothingKept(location)
  })

  test('for a session of another repository is 404', async () => {
    const location = await pushed.startUpload()
    const elsewhere = location.replace('/local/app/', '/local/other/')
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
      const answer = await send(method, `${elsewhere}?digest=${digest}`, method === 'GET' ? undefined : blob)
      expectRefused(answer, 404, 'BLOB_UPLOAD_UNKNOWN')
    }
    await expectNothingKept(location)
  })

  test.each(['..%2f..%2fcatalog', '0', 'x'.repeat(200), '%00', '__proto__'])(
    'for the session %s is refused',
    async (id) => {
      const answer = await send('PUT', `${base}/blobs/uploads/${id}?digest=${digest}`, blob)
      expect([400, 404]).toContain(answer.status)
      await expectNothingKept()
    },
  )
})

describe('a manifest', () => {
  const image = { schemaVersion: 2, mediaType: ociManifest, config, layers: [] as object[] }
  const rows: [how: string, status: number, code: string, type: string, document: unknown][] = [
    ['whose layer is not there', 404, 'MANIFEST_BLOB_UNKNOWN', ociManifest, { ...image, layers: [layer] }],
    ['whose config is not there', 404, 'MANIFEST_BLOB_UNKNOWN', ociManifest, { ...image, config: { ...layer } }],
    ['with a layer of another size', 400, 'SIZE_INVALID', ociManifest, { ...image, layers: [{ ...config, size: 3 }] }],
    ['that is an index too', 400, 'MANIFEST_INVALID', ociManifest, { ...image, manifests: [] }],
    ['sent as an index', 400, 'MANIFEST_INVALID', ociIndex, image],
    ['with a negative size', 400, 'MANIFEST_INVALID', ociManifest, { ...image, layers: [{ ...config, size: -1 }] }],
    [
      'with a size past all numbers',
      400,
      'MANIFEST_INVALID',
      ociManifest,
      { ...image, layers: [{ ...config, size: 1e300 }] },
    ],
    [
      'with a digest of another kind',
      400,
      'UNSUPPORTED',
      ociManifest,
      { ...image, layers: [{ ...config, digest: 'md5:x' }] },
    ],
    ['that is a list', 400, 'MANIFEST_INVALID', ociManifest, []],
    ['that is too deep', 400, 'MANIFEST_INVALID', ociManifest, { ...image, x: deep(40) }],
  ]
  test.each(rows)('%s is %i %s', async (_how, status, code, type, document) => {
    const body = Buffer.from(JSON.stringify(document))
    for (const reference of ['1.0', digestOf(body)]) {
      expectRefused(await send('PUT', `${base}/manifests/${reference}`, body, { 'Content-Type': type }), status, code)
      expect((await send('GET', `${base}/manifests/${reference}`)).status).toBe(404)
    }
    await expectNothingKept()
  })

  test('under the digest of another one is 400', async () => {
    const body = Buffer.from(JSON.stringify(image))
    const target = `${base}/manifests/${digest}?tag=1.0`
    expectRefused(await send('PUT', target, body, { 'Content-Type': ociManifest }), 400, 'DIGEST_INVALID')
    await expectNothingKept()
  })

  test('under one tag that is none keeps none of the others', async () => {
    const body = Buffer.from(JSON.stringify(image))
    const target = `${base}/manifests/${digestOf(body)}?tag=1.0&tag=.bad`
    expectRefused(await send('PUT', target, body, { 'Content-Type': ociManifest }), 400, 'TAG_INVALID')
    await expectNothingKept()
  })
})

function deep(levels: number): unknown {
  return levels === 0 ? 1 : [deep(levels - 1)]
}
