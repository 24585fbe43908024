/** Bodies of blobs on real sockets: complete, or visibly broken; never a clean short end. */
import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ask, exchange, open, readToEnd, requestText, serve } from './serve.ts'
import { endingEarly, failingAt, gate, overrunning, withoutSize, zeros } from './sources.ts'

const blob = Buffer.from(Array.from({ length: 3_000_001 }, (_, index) => (index * 7919) % 251))
const target = `/v2/library/alpine/blobs/${digestOf(blob)}`
const keepAlive = { Connection: 'keep-alive' }

describe('a whole body', () => {
  test('arrives as it is', async () => {
    const { port, repository } = await serve({ blobs: [blob] })
    const { body } = await ask(port, 'GET', target)
    expect(digestOf(body)).toBe(digestOf(blob))
    expect(repository.open()).toBe(0)
  })

  test('of unknown size goes chunked, with the last chunk', async () => {
    const { port } = await serve({ blobs: [blob], wrap: withoutSize })
    const { headers, body } = await ask(port, 'GET', target)
    expect(headers['transfer-encoding']).toBe('chunked')
    expect(headers).not.toHaveProperty('content-length')
    expect(digestOf(unchunk(body))).toBe(digestOf(blob))
  })

  test('leaves the connection open for the next', async () => {
    const { port, repository } = await serve({ blobs: [blob] })
    const { raw } = await exchange(port, requestText('GET', target, keepAlive) + requestText('GET', target))
    expect(raw.toString('latin1').match(/HTTP\/1\.1 200/g)?.length).toBe(2)
    expect(raw.length).toBeGreaterThan(2 * blob.length)
    expect(repository.open()).toBe(0)
  })

  test('sends its headers before its first byte is there', async () => {
    const held = gate(0)
    const { port } = await serve({ blobs: [blob], wrap: held.wrap })
    const socket = await open(port)
    socket.write(requestText('GET', target))
    const [first] = await once(socket, 'data')
    expect(String(first)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/)
    held.release()
    expect((await readToEnd(socket)).length).toBe(blob.length)
  })
})

describe('a body that breaks midway', () => {
  test.each([
    ['fails', failingAt(1_000_000)],
    ['fails at its last byte', failingAt(blob.length - 1)],
    ['fails at its first byte', failingAt(0)],
    ['ends early', endingEarly],
    ['overruns its buffer', overrunning],
  ])('because the source %s ends short of its Content-Length and takes no other request', async (_how, wrap) => {
    const { port, repository, logged } = await serve({ blobs: [blob], wrap })
    const twice = requestText('GET', target, keepAlive) + requestText('GET', '/v2/', keepAlive)
    const { headers, body, status } = await exchange(port, twice)
    expect(status).toBe(200)
    expect(body.length).toBeLessThan(Number(headers['content-length']))
    expect(repository.open()).toBe(0)
    expect(logged).toEqual([expect.stringContaining('blob broken off')])
  })

  test.each([
    ['fails', failingAt(1_000_000)],
    ['fails at its first byte', failingAt(0)],
    ['overruns its buffer', overrunning],
  ])('because the source %s has no last chunk when chunked', async (_how, wrap) => {
    const { port, repository } = await serve({ blobs: [blob], wrap: (source) => withoutSize(wrap(source)) })
    const twice = requestText('GET', target, keepAlive) + requestText('GET', '/v2/', keepAlive)
    const { headers, body, status } = await exchange(port, twice)
    expect(status).toBe(200)
    expect(headers['transfer-encoding']).toBe('chunked')
    expect(body.subarray(-5).toString('latin1')).not.toBe('0\r\n\r\n')
    expect(repository.open()).toBe(0)
  })

  test('is a reset where its end would be the end of the connection (HTTP/1.0)', async () => {
    const { port } = await serve({ blobs: [blob], wrap: (source) => withoutSize(failingAt(1000)(source)) })
    const socket = await open(port)
    const errors: unknown[] = []
    socket.on('error', (error) => errors.push(error))
    socket.write(`GET ${target} HTTP/1.0\r\nHost: localhost\r\n\r\n`)
    await readToEnd(socket)
    expect(errors).toEqual([expect.objectContaining({ code: 'ECONNRESET' })])
  })
})

describe('a client', () => {
  test('that reads nothing is given up, and its source closed', async () => {
    const { port, repository } = await serve({ blobs: [blob], wrap: zeros(2 ** 30) }, { stalledAfter: 50 })
    const socket = await open(port)
    socket.pause().write(requestText('GET', target))
    await vi.waitFor(() => expect(repository.calls).toEqual(['blob']))
    await vi.waitFor(() => expect(repository.open()).toBe(0), { timeout: 10_000 })
    expect((await readToEnd(socket)).length).toBeLessThan(2 ** 30)
  })

  test('that reads no manifest is given up too', async () => {
    const bytes = Buffer.alloc(4 * 1024 * 1024, ' ')
    const manifests = { latest: { bytes, mediaType: 'application/json' } }
    const { port, connections } = await serve({ manifests }, { stalledAfter: 50 })
    const socket = await open(port)
    socket.pause().write(requestText('GET', '/v2/a/manifests/latest', keepAlive).repeat(8))
    await vi.waitFor(async () => expect(await connections()).toBe(0), { timeout: 10_000 })
    expect((await readToEnd(socket)).length).toBeLessThan(8 * bytes.length)
  })

  test('is not given up because the source is slow', async () => {
    const held = gate(1000)
    const { port } = await serve({ blobs: [blob], wrap: held.wrap }, { stalledAfter: 20 })
    const answer = ask(port, 'GET', target)
    await held.reached
    setTimeout(held.release, 200)
    expect(digestOf((await answer).body)).toBe(digestOf(blob))
  })

  test('that leaves closes its own source, and nothing is logged as a failure', async () => {
    const { port, repository, logged } = await serve({ blobs: [blob], wrap: zeros(2 ** 30) })
    const socket = await open(port)
    socket.write(requestText('GET', target))
    await once(socket, 'data')
    socket.destroy()
    await vi.waitFor(() => expect(repository.open()).toBe(0))
    expect(logged).toEqual([])
  })

  test('that leaves while its source waits closes it at once', async () => {
    const held = gate(1000)
    const { port, repository, logged } = await serve({ blobs: [blob], wrap: held.wrap })
    const socket = await open(port)
    socket.write(requestText('GET', target))
    await held.reached
    socket.destroy()
    await vi.waitFor(() => expect(repository.open()).toBe(0))
    expect(logged).toEqual([])
  })

  test('that leaves with requests in its pipeline leaves no source open, and never had more than one', async () => {
    const { port, repository } = await serve({ blobs: [blob], wrap: zeros(2 ** 30) })
    const socket = await open(port)
    socket.pause().write(requestText('GET', target, keepAlive).repeat(5))
    await vi.waitFor(() => expect(repository.open()).toBe(1))
    socket.destroy()
    await vi.waitFor(() => expect(repository.open()).toBe(0))
    expect(repository.calls).toEqual(['blob'])
  })
})

describe('a range', () => {
  const size = blob.length

  test.each([
    ['bytes=500-1499', 500, 1500],
    ['bytes=500-', 500, size],
    ['bytes=-500', size - 500, size],
    ['bytes=0-0', 0, 1],
    [`bytes=${size - 1}-`, size - 1, size],
    [`bytes=10-${size * 2}`, 10, size],
    [`bytes=0-${'9'.repeat(20)}`, 0, size],
    [`bytes=10-${'9'.repeat(310)}`, 10, size],
    [`bytes=-${size * 2}`, 0, size],
    ['Bytes = 1-2', 1, 3],
  ])('%s is 206 with its bytes', async (range, start, end) => {
    const { port } = await serve({ blobs: [blob] })
    const answer = await ask(port, 'GET', target, { Range: range })
    expect(answer.status).toBe(206)
    expect(answer.headers).toMatchObject({
      'content-range': `bytes ${start}-${end - 1}/${size}`,
      'content-length': String(end - start),
      'docker-content-digest': digestOf(blob),
      'accept-ranges': 'bytes',
      etag: `"${digestOf(blob)}"`,
    })
    expect(answer.body.equals(blob.subarray(start, end))).toBe(true)
  })

  test.each(['bytes=0-1,5-6', 'bytes=0-1, -2', 'lines=0-1', 'bytes'])(
    '%s is answered with the whole',
    async (range) => {
      const { port } = await serve({ blobs: [blob] })
      const answer = await ask(port, 'GET', target, { Range: range })
      expect(answer.status).toBe(200)
      expect(answer.headers).not.toHaveProperty('content-range')
      expect(answer.body.length).toBe(size)
    },
  )

  test.each([`bytes=${size}-`, `bytes=${size + 5}-${size + 9}`, `bytes=${'9'.repeat(310)}-`, 'bytes=-0', 'bytes=5-4'])(
    '%s is 416 with the size',
    async (range) => {
      const { port, repository } = await serve({ blobs: [blob] })
      const answer = await ask(port, 'GET', target, { Range: range })
      expect(answer.status).toBe(416)
      expect(answer.headers['content-range']).toBe(`bytes */${size}`)
      expect(answer.body.toString()).toContain('RANGE_INVALID')
      expect(repository.open()).toBe(0)
    },
  )

  test.each(['bytes=', 'bytes=a-b', 'bytes=-', 'bytes=1', 'bytes=0-1,x', 'bytes=1--2'])(
    '%s is 416 without a repository call',
    async (range) => {
      const { port, repository } = await serve({ blobs: [blob] })
      const answer = await ask(port, 'GET', target, { Range: range })
      expect(answer.status).toBe(416)
      expect(repository.calls).toEqual([])
    },
  )

  test('with an If-Range of other content is answered with the whole', async () => {
    const { port } = await serve({ blobs: [blob] })
    const range = { Range: 'bytes=0-1' }
    expect((await ask(port, 'GET', target, { ...range, 'If-Range': '"other"' })).status).toBe(200)
    expect((await ask(port, 'GET', target, { ...range, 'If-Range': `"${digestOf(blob)}"` })).status).toBe(206)
  })

  test('of a blob whose size is not known yet is answered with the whole', async () => {
    const { port } = await serve({ blobs: [blob], wrap: withoutSize })
    const answer = await ask(port, 'GET', target, { Range: 'bytes=1-2' })
    expect(answer.status).toBe(200)
    expect(digestOf(unchunk(answer.body))).toBe(digestOf(blob))
  })

  test('that breaks midway ends short', async () => {
    const { port } = await serve({ blobs: [blob], wrap: failingAt(1000) })
    const { status, body } = await ask(port, 'GET', target, { Range: 'bytes=500-1499' })
    expect(status).toBe(206)
    expect(body.length).toBeLessThan(1000)
  })
})

function unchunk(body: Buffer): Buffer {
  const parts: Buffer[] = []
  let rest = body
  for (;;) {
    const end = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.subarray(0, end).toString('latin1'), 16)
    if (size === 0) return Buffer.concat(parts)
    if (Number.isNaN(size)) throw new Error('no chunk')
    parts.push(rest.subarray(end + 2, end + 2 + size))
    rest = rest.subarray(end + 2 + size + 2)
  }
}
