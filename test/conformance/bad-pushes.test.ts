/** Pushes that break the rules, against the daemon: each is refused in the spec's words, and nothing of it is kept. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import { type RawAnswer, exchange, open, parseAnswer, readToEnd, requestText } from '../registry/serve.ts'
import { type Daemon, startDaemon } from '../support/daemon.ts'

const blob = Buffer.alloc(100_000, 'what was meant to come ')
const digest = digestOf(blob)
const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(Buffer.from('{}')), size: 2 }
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: blob.length }
const base = '/v2/local/app'

let daemon: Daemon
let port: number

beforeAll(async () => {
  daemon = await startDaemon({ config: { dockerConfig: 'off' } })
  port = Number(new URL(daemon.url).port)
  // The only blob that is there: a config for manifests that are wrong in other ways.
  const { status } = await send('POST', `${base}/blobs/uploads/?digest=${config.digest}`, Buffer.from('{}'))
  if (status !== 201) throw new Error(`the config could not be pushed: ${status}`)
})

afterAll(() => daemon?.stop())

describe('a blob', () => {
  test.each([
    ['of another digest', blob.subarray(1), {}, 'DIGEST_INVALID'],
    ['that is cut short, by its Content-Range', blob.subarray(1), { 'Content-Range': '0-99999' }, 'SIZE_INVALID'],
    ['that is too long, by its Content-Range', blob, { 'Content-Range': '0-99998' }, 'SIZE_INVALID'],
    ['with a Content-Range that is none', blob, { 'Content-Range': 'all of it' }, 'BLOB_UPLOAD_INVALID'],
  ])('%s is 400', async (_how, body, headers, code) => {
    const location = await start()
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
    const location = await start()
    const late = await send('PATCH', location, blob.subarray(50_000), { 'Content-Range': '50000-99999' })
    expectRefused(late, 416, 'RANGE_INVALID')
    expect(late.headers).toMatchObject({ location, range: '0-0' })
    await expectNothingKept(location)
  })

  test('of which two chunks come at once: the second is 416, and the first goes on', async () => {
    const location = await start()
    const socket = await open(port)
    socket.write(requestText('PATCH', location, { 'Content-Length': String(blob.length) }))
    socket.write(blob.subarray(0, 1000))
    await expect.poll(async () => (await send('PATCH', location, blob)).status).toBe(416)
    socket.write(blob.subarray(1000))
    expect(parseAnswer(await readToEnd(socket))).toMatchObject({ status: 202, headers: { range: '0-99999' } })
    await expectNothingKept(location)
  })

  test('whose client leaves can go on where it broke off', async () => {
    const location = await start()
    const socket = await open(port)
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
    const location = await start()
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

async function send(method: string, target: string, body?: Uint8Array, headers: Record<string, string> = {}) {
  if (body === undefined) return exchange(port, requestText(method, target, headers))
  const head = requestText(method, target, { 'Content-Length': String(body.length), ...headers })
  return exchange(port, Buffer.concat([Buffer.from(head), body]))
}

async function start(): Promise<string> {
  const location = (await send('POST', `${base}/blobs/uploads/`, Buffer.alloc(0))).headers.location ?? ''
  // A test that fails leaves nothing for the next one to stumble over.
  onTestFinished(async () => void (await send('DELETE', location)))
  return location
}

function expectRefused({ status, body, headers }: RawAnswer, wanted: number, code: string): void {
  expect(headers['content-type']).toBe('application/json')
  expect({ status, errors: JSON.parse(body.toString()).errors }).toMatchObject({ status: wanted, errors: [{ code }] })
}

/** No blob, no tag, and no file but the one of the config; the session ends first, whether or not it is there. */
async function expectNothingKept(location?: string): Promise<void> {
  if (location !== undefined) await send('DELETE', location)
  expect((await send('HEAD', `${base}/blobs/${digest}`)).status).toBe(404)
  const listed = await send('GET', `${base}/tags/list`)
  expect(JSON.parse(listed.body.toString()).tags ?? []).toEqual([])
  expect(await filesIn('blobs')).toHaveLength(1)
  await expect.poll(() => filesIn('spool')).toEqual([])
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(join(daemon.data, folder), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

function deep(levels: number): unknown {
  return levels === 0 ? 1 : [deep(levels - 1)]
}
