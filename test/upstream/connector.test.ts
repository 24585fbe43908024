import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Connector, type ConnectorOptions, createConnector } from '../../src/upstream/connector.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { caught } from './caught.ts'

const cleanup: (() => unknown)[] = []
let registry: ScriptedRegistry

beforeEach(async () => {
  registry = await startScriptedRegistry()
  cleanup.push(() => registry.close())
})
afterEach(async () => {
  for (const clean of cleanup.splice(0).toReversed()) await clean()
})

function connectorFor(url: string, options: Partial<ConnectorOptions> = {}): Connector {
  const connector = createConnector({ upstream: 'registry.test', privateHosts: [new URL(url).host], ...options })
  cleanup.push(() => connector.close())
  return connector
}

function get(connector: Connector, url: string, signal = new AbortController().signal) {
  return connector.metadata({ method: 'GET', url: new URL(url), headers: {}, signal })
}

/** A server that answers each connection with raw bytes; `answer` runs once a request's headers are in. */
async function rawServer(answer: (socket: Socket) => void): Promise<{ url: string; connections(): number }> {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.on('error', () => undefined)
    socket.on('data', (data) => {
      if (data.includes('\r\n\r\n')) answer(socket)
    })
    cleanup.push(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanup.push(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no TCP address')
  return { url: `http://127.0.0.1:${address.port}`, connections: () => connections }
}

describe('a request', () => {
  it('asks for identity encoding whatever else it carries', async () => {
    const response = await get(connectorFor(registry.url), `${registry.url}/v2/`)
    expect(response.status).toBe(200)
    expect(registry.calls[0]?.headers['accept-encoding']).toBe('identity')
    response.discard()
  })

  it('rejects with the reason of its signal', async () => {
    registry.misbehave({}, () => undefined)
    const controller = new AbortController()
    const asked = get(connectorFor(registry.url), `${registry.url}/v2/`, controller.signal)
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
  })
})

describe('a body', () => {
  it('of another encoding is refused', async () => {
    registry.misbehave({}, (_request, response) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync('x'.repeat(1_000_000)))
    })
    expect(await caught(get(connectorFor(registry.url), registry.url))).toMatchObject({
      trouble: 'wrong',
      status: 502,
    })
  })

  it('in a chain of encodings is refused', async () => {
    registry.misbehave({}, (_request, response) => {
      response.writeHead(200, { 'Content-Encoding': Array.from({ length: 100 }, () => 'gzip').join(', ') }).end('x')
    })
    expect(await caught(get(connectorFor(registry.url), registry.url))).toMatchObject({ trouble: 'wrong' })
  })

  it('with an unknown Transfer-Encoding is refused', async () => {
    const server = await rawServer((socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx'))
    expect(await caught(get(connectorFor(server.url), server.url))).toMatchObject({ trouble: 'wrong' })
  })

  it('that is larger than its limit is refused before it is read, where its length is known', async () => {
    registry.misbehave({}, (_request, response) => response.writeHead(200, { 'Content-Length': 11 }).flushHeaders())
    const response = await get(connectorFor(registry.url), registry.url)
    expect(await caught(response.bytes(10))).toMatchObject({ trouble: 'wrong' })
  })

  it('that is larger than its limit is refused where its length is not known', async () => {
    registry.misbehave({}, (_request, response) => {
      response.write('x'.repeat(10))
      response.end('y')
    })
    const response = await get(connectorFor(registry.url), registry.url)
    expect(await caught(response.bytes(10))).toMatchObject({ trouble: 'wrong' })
  })

  it('that breaks before its Content-Length throws', async () => {
    registry.misbehave({}, (request, response) => {
      response.writeHead(200, { 'Content-Length': 10 })
      response.write('abc', () => request.socket.end())
    })
    const response = await get(connectorFor(registry.url), registry.url)
    expect(await caught(response.bytes(100))).toMatchObject({ trouble: 'unreachable', status: 502 })
  })

  it('that breaks within its chunks throws', async () => {
    registry.misbehave({}, (request, response) => {
      response.write('abc', () => request.socket.end())
    })
    const response = await get(connectorFor(registry.url), registry.url)
    expect(await caught(response.bytes(100))).toMatchObject({ trouble: 'unreachable' })
  })

  it('without a length whose connection is reset throws', async () => {
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nabc', () => setImmediate(() => socket.resetAndDestroy()))
    })
    const response = await get(connectorFor(server.url), server.url)
    expect(await caught(response.bytes(100))).toMatchObject({ trouble: 'unreachable' })
  })

  it('that stalls ends in a timeout', async () => {
    registry.misbehave({}, (_request, response) => void response.writeHead(200, { 'Content-Length': 10 }).write('abc'))
    const response = await get(connectorFor(registry.url, { idleTimeout: 100 }), registry.url)
    expect(await caught(response.bytes(100))).toMatchObject({ trouble: 'unreachable', status: 504 })
  })

  it('that trickles ends in a timeout, though it never stalls', async () => {
    registry.misbehave({}, (_request, response) => {
      const drip = setInterval(() => response.write('x'), 10)
      response.on('close', () => clearInterval(drip))
    })
    const pace = { bytesPerSecond: 10_000, window: 200 }
    const response = await get(connectorFor(registry.url, { pace }), registry.url)
    const error = await caught(response.bytes(1_000_000))
    expect(error).toMatchObject({ trouble: 'unreachable', status: 504 })
    expect(error.detail).toContain('sent only')
  })

  it('that was fast and then trickles ends in a timeout too', async () => {
    registry.misbehave({}, (_request, response) => {
      response.write(Buffer.alloc(1_000_000))
      const drip = setInterval(() => response.write('x'), 10)
      response.on('close', () => clearInterval(drip))
    })
    const pace = { bytesPerSecond: 10_000, window: 200 }
    const response = await get(connectorFor(registry.url, { pace }), registry.url)
    expect(await caught(response.bytes(2_000_000))).toMatchObject({ status: 504 })
  })

  it('is not called slow for the time that its reader takes', async () => {
    registry.misbehave({}, (_request, response) => void response.end(Buffer.alloc(300_000)))
    const pace = { bytesPerSecond: 1_000_000, window: 50 }
    const response = await get(connectorFor(registry.url, { pace }), registry.url)
    let length = 0
    for await (const chunk of response.body) {
      length += chunk.length
      const until = performance.now() + 30
      while (performance.now() < until) await new Promise((resolve) => void setImmediate(resolve))
    }
    expect(length).toBe(300_000)
  })
})

describe('a connection', () => {
  it('is free for the next request after a short answer that nobody read', async () => {
    const { bytes } = connectorFor(registry.url, { transfers: 1 })
    const { signal } = new AbortController()
    const request = { method: 'GET', url: new URL('/v2/', registry.url), headers: {}, signal } as const
    const first = await bytes(request)
    first.discard()
    first.discard()
    const second = await bytes(request)
    expect(Buffer.from(await second.bytes(10)).toString()).toBe('{}')
    expect(registry.connections()).toBe(1)
  })

  it.each([
    ['a garbage tail', 'garbage'],
    ['what looks like another response', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'],
  ])('that carried %s after a body is never used again', async (_what, extra) => {
    const server = await rawServer(
      (socket) => void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${extra}`),
    )
    const connector = connectorFor(server.url)
    for (const connections of [1, 2, 3]) {
      const response = await get(connector, server.url)
      expect(Buffer.from(await response.bytes(100)).toString()).toBe('ok')
      expect(server.connections()).toBe(connections)
    }
  })

  it('that is refused is unreachable', async () => {
    const { url } = registry
    await registry.close()
    expect(await caught(get(connectorFor(url), url))).toMatchObject({ trouble: 'unreachable', status: 502 })
  })

  it('that is reset before the headers is unreachable', async () => {
    registry.misbehave({}, (request) => void request.socket.resetAndDestroy())
    expect(await caught(get(connectorFor(registry.url), registry.url))).toMatchObject({ trouble: 'unreachable' })
  })

  it('whose headers do not come is given up', async () => {
    registry.misbehave({}, () => undefined)
    const asked = get(connectorFor(registry.url, { headersTimeout: 100 }), registry.url)
    expect(await caught(asked)).toMatchObject({ trouble: 'unreachable', status: 504 })
  })

  it('that speaks no HTTP is unreachable', async () => {
    const server = await rawServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
    expect(await caught(get(connectorFor(server.url), server.url))).toMatchObject({ trouble: 'unreachable' })
  })

  it('with headers above 16 KiB is refused', async () => {
    const server = await rawServer((socket) => socket.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`))
    expect(await caught(get(connectorFor(server.url), server.url))).toMatchObject({ trouble: 'wrong' })
  })

  it('for metadata is free while transfers take all of theirs', async () => {
    registry.misbehave({ path: /^\/slow/ }, (_request, response) => void response.write('x'))
    const connector = connectorFor(registry.url, { transfers: 2 })
    const transfers = [1, 2, 3].map(() =>
      connector.bytes({
        method: 'GET',
        url: new URL(`${registry.url}/slow`),
        headers: {},
        signal: new AbortController().signal,
      }),
    )
    const ended = Promise.allSettled(transfers)
    await expect.poll(() => registry.count('GET', /slow/)).toBe(2)
    const response = await get(connector, `${registry.url}/v2/`)
    expect(response.status).toBe(200)
    expect(registry.count('GET', /slow/)).toBe(2)
    await connector.close()
    await ended
  })
})
