/** Uploads that break the rules on the wire: ranges, digests, lengths, ends that do not come. What arrives of them is never a blob. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { parseAnswer, readToEnd, requestText } from '../registry/serve.ts'
import { base, blob, config, digest, expectRefused, type Pushed, startPushed } from './pushed.ts'

const uploads = `${base}/blobs/uploads/`
const chunked = `${blob.length.toString(16)}\r\n${blob.toString()}\r\n0\r\n\r\n`

let pushed: Pushed

beforeAll(async () => void (pushed = await startPushed()))

afterAll(() => pushed?.daemon.stop())

describe('a Content-Range', () => {
  test.each([
    ['0-99999/99999', 'BLOB_UPLOAD_INVALID'],
    ['bytes 0-99999/5', 'BLOB_UPLOAD_INVALID'],
    ['bytes */100000', 'BLOB_UPLOAD_INVALID'],
    ['+0-99999', 'BLOB_UPLOAD_INVALID'],
    ['0 - 99999', 'BLOB_UPLOAD_INVALID'],
    ['-99999', 'BLOB_UPLOAD_INVALID'],
    ['99999-0', 'BLOB_UPLOAD_INVALID'],
    ['0-0x1869f', 'BLOB_UPLOAD_INVALID'],
    ['', 'BLOB_UPLOAD_INVALID'],
    ['0-99998', 'SIZE_INVALID'],
    ['0-100000', 'SIZE_INVALID'],
  ])('of "%s" for 100,000 bytes is 400 %s', async (range, code) => {
    const location = await pushed.startUpload()
    const answer = await pushed.send('PATCH', location, blob, { 'Content-Range': range })
    expectRefused(answer, 400, code)
    expect((await pushed.send('GET', location)).headers.range).toBe('0-0')
    await pushed.expectNothingKept(location)
  })

  test.each(['0-99998', '0-100000'])('of %s for another length without a Content-Length is 400', async (range) => {
    const location = await pushed.startUpload()
    const headers = { 'Transfer-Encoding': 'chunked', 'Content-Range': range }
    expectRefused(await raw(requestText('PATCH', location, headers) + chunked), 400, 'SIZE_INVALID')
    await pushed.expectNothingKept(location)
  })

  test('that comes twice is 400', async () => {
    const location = await pushed.startUpload()
    const head = requestText('PATCH', location, { 'Content-Length': String(blob.length) })
    const ranges = 'Content-Range: 0-99999\r\nContent-Range: 0-99999\r\n'
    const answer = await raw(head.replace('\r\n\r\n', `\r\n${ranges}\r\n`) + blob.toString())
    expectRefused(answer, 400, 'BLOB_UPLOAD_INVALID')
    await pushed.expectNothingKept(location)
  })

  test('without a body is 400', async () => {
    const location = await pushed.startUpload()
    expectRefused(await raw(requestText('PATCH', location, { 'Content-Range': '0-99999' })), 400, 'SIZE_INVALID')
    await pushed.expectNothingKept(location)
  })

  test('of a last chunk that leaves a gap is 416; the digest is not even looked at', async () => {
    const location = await pushed.startUpload()
    expect((await pushed.send('PATCH', location, blob.subarray(0, 1000))).status).toBe(202)
    const range = { 'Content-Range': '1001-99999' }
    const answer = await pushed.send('PUT', `${location}?digest=${digest}`, blob.subarray(1001), range)
    expectRefused(answer, 416, 'RANGE_INVALID')
    expect(answer.headers).toMatchObject({ location, range: '0-999' })
    await pushed.expectNothingKept(location)
  })
})

describe('a digest', () => {
  test.each([
    `${digest}&digest=${config.digest}`,
    digest.toUpperCase(),
    `sha256:${digest.slice(7).toUpperCase()}`,
    digest.slice(0, -1),
    `${digest}0`,
    `${digest}%0a`,
    `%20${digest}`,
    `sha512:${digest.slice(7)}`,
    `sha384:${'a'.repeat(96)}`,
    `md5:${'a'.repeat(32)}`,
    '%00',
    '',
  ])('of %s is 400, in a PUT and in a single POST', async (query) => {
    const location = await pushed.startUpload()
    expectRefused(await pushed.send('PUT', `${location}?digest=${query}`, blob), 400, 'DIGEST_INVALID')
    expectRefused(await pushed.send('POST', `${uploads}?digest=${query}`, blob), 400, 'DIGEST_INVALID')
    await pushed.expectNothingKept(location)
  })

  test.each(['sha256', 'sha512'] as const)('of other bytes by %s is 400, however the bytes came', async (algorithm) => {
    const wrong = digestOf(Buffer.from('other'), algorithm)
    const location = await pushed.startUpload()
    await pushed.send('PATCH', location, blob)
    expectRefused(await pushed.send('PUT', `${location}?digest=${wrong}`, Buffer.alloc(0)), 400, 'DIGEST_INVALID')
    expectRefused(await pushed.send('POST', `${uploads}?digest=${wrong}`, blob), 400, 'DIGEST_INVALID')
    expect((await pushed.send('HEAD', `${base}/blobs/${wrong}`)).status).toBe(404)
    await pushed.expectNothingKept(location)
  })
})

describe('a length', () => {
  /** Node's parser answers these itself, without a body: where such a request ends nobody can say. */
  test.each([
    ['that is two', 'Content-Length: 5\r\nContent-Length: 6\r\n', 'abcdef'],
    ['that is negative', 'Content-Length: -1\r\n', 'abc'],
    ['that is no number', 'Content-Length: abc\r\n', 'abc'],
    ['beside Transfer-Encoding', `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n`, chunked],
    ['of a chunk that is none', 'Transfer-Encoding: chunked\r\n', 'zz\r\nabc\r\n0\r\n\r\n'],
    ['of a chunk past all numbers', 'Transfer-Encoding: chunked\r\n', 'ffffffffffffffffff\r\nabc'],
  ])('%s is 400 and ends the connection', async (_what, lines, body) => {
    const location = await pushed.startUpload()
    const next = requestText('GET', '/v2/', { Connection: 'keep-alive' })
    const head = requestText('PATCH', location, { Connection: 'keep-alive' })
    const answer = await raw(head.replace('\r\n\r\n', `\r\n${lines}\r\n`) + body + next)
    expect(answer.status).toBe(400)
    expect(answer.raw.toString().match(/HTTP\/1\.1 /g)).toHaveLength(1)
    await pushed.expectNothingKept(location)
  })

  test('past all exact numbers is 400', async () => {
    const location = await pushed.startUpload()
    const answer = await raw(requestText('PATCH', location, { 'Content-Length': '9007199254740993' }))
    expectRefused(answer, 400, 'SIZE_INVALID')
    await pushed.expectNothingKept(location)
  })

  test('past all room is 403 before a byte is sent, in a session and in a single POST', async () => {
    const location = await pushed.startUpload()
    const length = { 'Content-Length': String(10 ** 15) }
    for (const target of [`${uploads}?digest=${digest}`, location]) {
      const method = target === location ? 'PATCH' : 'POST'
      expectRefused(await raw(requestText(method, target, length)), 403, 'DENIED')
    }
    await pushed.expectNothingKept(location)
  })
})

describe('a body', () => {
  test.each(['PATCH', 'PUT'])('of a %s that ends before its length is not taken for whole', async (method) => {
    const location = await pushed.startUpload()
    const target = method === 'PUT' ? `${location}?digest=${digest}` : location
    const socket = connect(pushed.port, '127.0.0.1')
    socket.end(requestText(method, target, { 'Content-Length': String(blob.length + 1) }) + blob.toString())
    const { status } = parseAnswer(await readToEnd(socket))
    expect([400, Number.NaN]).toContain(status)
    await expect.poll(async () => (await pushed.send('DELETE', location)).status).toBe(204)
    await pushed.expectNothingKept()
  })

  test('of a single POST that breaks off leaves no session', async () => {
    const socket = connect(pushed.port, '127.0.0.1')
    const head = requestText('POST', `${uploads}?digest=${digest}`, { 'Content-Length': String(blob.length) })
    socket.write(head + blob.subarray(0, 1000).toString())
    await expect.poll(() => socket.bytesWritten).toBeGreaterThan(1000)
    socket.destroy()
    await pushed.expectNothingKept()
  })

  test.each(['PATCH', 'PUT'])('of a %s that is encoded is 415', async (method) => {
    const location = await pushed.startUpload()
    const answer = await pushed.send(method, `${location}?digest=${digest}`, blob, { 'Content-Encoding': 'gzip' })
    expectRefused(answer, 415, 'UNSUPPORTED')
    await pushed.expectNothingKept(location)
  })

  test('in a transfer coding that is not known is 400', async () => {
    const location = await pushed.startUpload()
    const answer = await raw(requestText('PATCH', location, { 'Transfer-Encoding': 'gzip, chunked' }) + chunked)
    expectRefused(answer, 400, 'UNSUPPORTED')
    await pushed.expectNothingKept(location)
  })

  test('that expects what nobody knows is 417', async () => {
    const location = await pushed.startUpload()
    expect((await pushed.send('PATCH', location, blob, { Expect: '200-ok' })).status).toBe(417)
    await pushed.expectNothingKept(location)
  })
})

test('a session that is over is one that there never was: PUT twice, PATCH after PUT, PUT after DELETE', async () => {
  const [first, second] = [await pushed.startUpload(), await pushed.startUpload()]
  expect((await pushed.send('PUT', `${first}?digest=${digest}`, blob)).status).toBe(201)
  await pushed.send('DELETE', second)
  for (const location of [first, second]) {
    expectRefused(await pushed.send('PUT', `${location}?digest=${digest}`, blob), 404, 'BLOB_UPLOAD_UNKNOWN')
    expectRefused(await pushed.send('PATCH', location, blob), 404, 'BLOB_UPLOAD_UNKNOWN')
    expectRefused(await pushed.send('GET', location), 404, 'BLOB_UPLOAD_UNKNOWN')
  }
  expect((await pushed.send('DELETE', `${base}/blobs/${digest}`, Buffer.alloc(0))).status).toBe(202)
  await expect.poll(async () => (await pushed.send('HEAD', `${base}/blobs/${digest}`)).status).toBe(404)
  await expect.poll(() => pushed.expectNothingKept().then(() => 'nothing', String)).toBe('nothing')
})

test('a mount from what is no repository opens a session, and mounts nothing', async () => {
  const sources = [
    '%00',
    '..%2f..',
    'https%3A%2F%2Fevil',
    'LOCAL/App',
    '%ff',
    'x'.repeat(300),
    'ghcr.io/x/y',
    'local/app',
  ]
  for (const from of sources) {
    const answer = await pushed.send('POST', `${uploads}?mount=${digest}&from=${from}`, Buffer.alloc(0))
    expect(answer.status).toBe(202)
    await pushed.expectNothingKept(answer.headers.location)
  }
})

async function raw(request: string) {
  const socket = connect(pushed.port, '127.0.0.1')
  socket.write(request)
  return parseAnswer(await readToEnd(socket))
}
