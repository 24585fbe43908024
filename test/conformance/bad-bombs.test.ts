/** JSON bombs at the daemon's door: refused while they still arrive, before anything parses them, and the client can read why. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import { requestText } from '../registry/serve.ts'
import { jsonBombs } from '../support/json-bombs.ts'
import { answerTo, base, config, expectRefused, type Pushed, startPushed } from './pushed.ts'

/** In the daemon's own process: one line a call. Shorter texts are its own. */
const counter = `
  const { parse } = JSON
  JSON.parse = (text, ...rest) => {
    if (text.length > 2000) process.stderr.write('JSON.parse was called\\n')
    return parse(text, ...rest)
  }`

let pushed: Pushed

beforeAll(async () => {
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(counter)}` }
  pushed = await startPushed({ env })
})

afterAll(() => pushed?.daemon.stop())

test('there are 12 shapes of 4 MiB', () => {
  expect(jsonBombs).toHaveLength(12)
  const sizes = jsonBombs.map(({ body }) => body.length)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(4 * 1024 * 1024)
  expect(Math.min(...sizes)).toBeGreaterThan(4_000_000)
})

describe.each([ociManifest, ociIndex])('as %s', (type) => {
  test.each(jsonBombs)('a bomb of $shape is refused before JSON.parse runs', async ({ body }) => {
    const before = parses()
    const head = requestText('PUT', `${base}/manifests/bomb`, {
      'Content-Type': type,
      'Content-Length': String(body.length),
      Connection: 'keep-alive',
    })
    const { socket, ...answer } = await answerTo(pushed.port, Buffer.concat([Buffer.from(head), body]))
    expectRefused(answer, 400, 'MANIFEST_INVALID')
    // Nobody reads the rest.
    expect(answer.headers.connection).toBe('close')
    socket.destroy()
    await pushed.expectNothingKept()
    expect(parses()).toBe(before)
  })
})

test('a bomb without a length is refused as well', async () => {
  const before = parses()
  const head = requestText('PUT', `${base}/manifests/bomb`, {
    'Content-Type': ociManifest,
    'Transfer-Encoding': 'chunked',
  })
  const body = `${(200_000).toString(16)}\r\n${'['.repeat(200_000)}`
  const { socket, ...answer } = await answerTo(pushed.port, Buffer.from(head + body))
  expectRefused(answer, 400, 'MANIFEST_INVALID')
  socket.destroy()
  await pushed.expectNothingKept()
  expect(parses()).toBe(before)
})

test('the rest of a bomb that goes on is not read: the connection ends', async () => {
  const head = requestText('PUT', `${base}/manifests/bomb`, {
    'Content-Type': ociManifest,
    'Content-Length': String(4 * 1024 * 1024),
    Connection: 'keep-alive',
  })
  const { socket, ...answer } = await answerTo(pushed.port, Buffer.from(head + '['.repeat(1000)))
  expectRefused(answer, 400, 'MANIFEST_INVALID')
  await expect.poll(() => socket.closed, { timeout: 5_000 }).toBe(true)
})

test('one that is small and has come whole is refused, and its connection ends at once', async () => {
  const body = Buffer.from('['.repeat(1000))
  expectRefused(
    await pushed.send('PUT', `${base}/manifests/1`, body, { 'Content-Type': ociManifest }),
    400,
    'MANIFEST_INVALID',
  )
  await pushed.expectNothingKept()
})

test('what is no bomb is parsed, which is counted', async () => {
  const before = parses()
  const annotations = { note: 'x'.repeat(60_000), more: 'y'.repeat(60_000) }
  const document = { schemaVersion: 2, mediaType: ociManifest, config, layers: [], annotations }
  const body = Buffer.from(JSON.stringify(document))
  const answer = await pushed.send('PUT', `${base}/manifests/good`, body, { 'Content-Type': ociManifest })
  expect(answer.status).toBe(201)
  await expect.poll(() => parses()).toBe(before + 1)
})

function parses(): number {
  return pushed.daemon.log().split('JSON.parse was called').length - 1
}
