import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { lentBody } from '../../src/upstream/body.ts'
import { type Connector, createConnector } from '../../src/upstream/connector.ts'

const mebibyte = 1024 * 1024
const cleanup: (() => unknown)[] = []

afterEach(async () => {
  for (const clean of cleanup.splice(0).toReversed()) await clean()
})

/** Bytes that differ from seed to seed and from place to place. */
function noise(seed: number, size: number): Buffer {
  const key = createHash('sha256').update(String(seed)).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size))
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Sends the bodies by number: with their length, or (`/chunked/`) in many small chunks. */
async function serve(bodies: Buffer[]): Promise<{ url: string; connector: Connector; connections: () => number }> {
  let connections = 0
  const server = createServer((request, response) => {
    const [, way, number] = (request.url ?? '').split('/')
    const body = bodies[Number(number)] ?? Buffer.alloc(0)
    if (way === 'sized') response.writeHead(200, { 'content-length': body.length }).end(body)
    else sendChunked(response, body)
  })
  server.on('connection', () => void (connections += 1))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no TCP address')
  const url = `http://127.0.0.1:${address.port}`
  const connector = createConnector({ upstream: 'registry.test', privateHosts: [new URL(url).host] })
  cleanup.push(async () => {
    await connector.close()
    server.close()
    server.closeAllConnections()
  })
  return { url, connector, connections: () => connections }
}

function sendChunked(response: ServerResponse, body: Buffer): void {
  response.cork()
  for (let start = 0; start < body.length; start += 3000) response.write(body.subarray(start, start + 3000))
  response.end()
}

/** Holds each chunk over some turns of the event loop, in which other sockets read, and only then takes its bytes. */
async function receive(connector: Connector, url: string): Promise<{ digest: string; largest: number }> {
  const { signal } = new AbortController()
  const response = await connector.bytes({ method: 'GET', url: new URL(url), headers: {}, signal })
  const limits = { within: 60_000, size: 1024 * mebibyte }
  const hash = createHash('sha256')
  let largest = 0
  for await (const chunk of lentBody(response.body, { upstream: 'registry.test', host: 'registry.test' }, limits)) {
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    hash.update(chunk)
    largest = Math.max(largest, chunk.length)
  }
  return { digest: hash.digest('hex'), largest }
}

describe('a lent chunk', () => {
  const lent = (chunks: Uint8Array[]) =>
    lentBody(chunksOf(chunks), { upstream: 'a', host: 'a' }, { within: 60_000, size: mebibyte })

  it('is freed when the next one is asked for, where it has its memory for itself', async () => {
    const chunk = new Uint8Array(1000)
    for await (const taken of lent([chunk])) expect(taken.length).toBe(1000)
    expect(chunk.length).toBe(0)
  })

  it('keeps memory that it shares', async () => {
    const whole = new Uint8Array(1000)
    for await (const taken of lent([whole.subarray(10)])) expect(taken.length).toBe(990)
    expect(whole.length).toBe(1000)
  })
})

async function* chunksOf(chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

describe('large reads of a plain connection', () => {
  it('come in chunks of more than Node reads at a time', async () => {
    const bodies = [noise(1, 32 * mebibyte)]
    const { url, connector } = await serve(bodies)
    const { digest, largest } = await receive(connector, `${url}/sized/0`)
    expect(digest).toBe(digestOf(bodies[0] ?? Buffer.alloc(0)))
    expect(largest).toBeGreaterThan(64 * 1024)
  })

  it.each(['sized', 'chunked'])('never mix the bytes of connections that are read at once (%s)', async (way) => {
    const bodies = Array.from({ length: 12 }, (_, seed) => noise(seed, 6 * mebibyte + seed * 1013))
    const { url, connector } = await serve(bodies)
    const received = await Promise.all(bodies.map((_, number) => receive(connector, `${url}/${way}/${number}`)))
    expect(received.map(({ digest }) => digest)).toEqual(bodies.map(digestOf))
  })

  it('go on over the same connection with the next body', async () => {
    const bodies = [0, 1, 200, 70_000, 3 * mebibyte, 0, 5].map((size, seed) => noise(seed, size))
    const { url, connector, connections } = await serve(bodies)
    for (const [number, body] of bodies.entries()) {
      const { digest } = await receive(connector, `${url}/sized/${number}`)
      expect(digest).toBe(digestOf(body))
    }
    expect(connections()).toBeLessThan(bodies.length)
  })
})
