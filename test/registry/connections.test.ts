import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { capConnections, type ConnectionLimits } from '../../src/registry/connections.ts'

/** A server with a cap, and what it warned of. */
async function open(
  limits: Partial<ConnectionLimits>,
  answer: RequestListener = (_request, response) => response.end(),
) {
  const warnings: { connections: number; refused: number }[] = []
  const server = createServer(answer)
  capConnections(server, { lookEvery: 0, warn: (_message, fields) => warnings.push(fields), ...limits })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { warnings, dial: (from?: string) => dial(server, port, from) }
}

/** Settles when the server has taken the connection. */
async function dial(server: ReturnType<typeof createServer>, port: number, from = '127.0.0.1'): Promise<Socket> {
  const taken = once(server, 'connection')
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await taken
  return socket
}

/** The start of the answer; `refused` where the connection is ended without one. */
async function ask(socket: Socket, path = '/'): Promise<string> {
  const answered = once(socket, 'data').then(([chunk]) => String(chunk))
  const refused = new Promise<string>((resolve) => socket.once('close', () => resolve('refused')))
  answered.catch(() => {})
  if (socket.destroyed) return 'refused'
  request(socket, path)
  return Promise.race([answered.catch(() => 'refused'), refused])
}

function request(socket: Socket, path: string): void {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
}

test('at the cap the connection that never asked for anything makes room, then the one idle for longest', async () => {
  const { dial: next, warnings } = await open({ most: 3 })
  const used = await next()
  await ask(used)
  const laterUsed = await next()
  await ask(laterUsed)
  const silent = await next()
  const silentEnds = once(silent, 'close')
  const first = await next()
  await silentEnds
  expect(await ask(first)).toContain('200 OK')
  const usedEnds = once(used, 'close')
  expect(await ask(await next())).toContain('200 OK')
  await usedEnds
  expect(await ask(laterUsed)).toContain('200 OK')
  expect(warnings).toEqual([])
})

test('a reader that takes nothing makes room after a while, one that waits for the server does not', async () => {
  const waiting = Promise.withResolvers<void>()
  const asked = { wait: Promise.withResolvers<void>(), large: Promise.withResolvers<void>() }
  const { dial: next } = await open({ most: 2, stalledAfter: 0 }, ({ url }, response) => {
    if (url === '/wait') {
      asked.wait.resolve()
      void waiting.promise.then(() => response.end('at last'))
    } else if (url === '/large') {
      response.end(Buffer.alloc(64 * 1024 * 1024))
      asked.large.resolve()
    } else response.end()
  })
  const patient = await next()
  request(patient, '/wait')
  await asked.wait.promise
  const stalled = await next()
  stalled.pause()
  request(stalled, '/large')
  await asked.large.promise
  // Each newcomer is one look: one sees how much has been sent, a later one that it is no more.
  await expect.poll(async () => ask(await next())).toContain('200 OK')
  waiting.resolve()
  const [answer] = await once(patient, 'data')
  expect(String(answer)).toContain('at last')
})

test('a reader that takes its answer slowly is not taken for a stalled one', async () => {
  const { dial: next } = await open({ most: 1, stalledAfter: 0 }, (_request, response) => {
    response.end(Buffer.alloc(64 * 1024 * 1024))
  })
  const slow = await next()
  request(slow, '/large')
  for (let turn = 0; turn < 3; turn += 1) {
    await take(slow, 16 * 1024 * 1024)
    expect(await ask(await next())).toBe('refused')
  }
  expect(slow.destroyed).toBe(false)
})

/** Reads at least so many bytes, more than the kernel holds of a connection, and then no more. */
async function take(socket: Socket, bytes: number): Promise<void> {
  for (let taken = 0; taken < bytes;) {
    socket.resume()
    const [chunk] = await once(socket, 'data')
    taken += chunk.length
  }
  socket.pause()
}

test('stalled readers that one look has found make room one after the other, without a further look', async () => {
  const asked = Promise.withResolvers<void>()
  let large = 0
  const { dial: next, warnings } = await open({ most: 2, stalledAfter: 0, lookEvery: 500 }, ({ url }, response) => {
    if (url === '/large') {
      response.end(Buffer.alloc(64 * 1024 * 1024))
      if ((large += 1) === 2) asked.resolve()
    } else response.write('begun')
  })
  for (const stalled of [await next(), await next()]) {
    stalled.pause()
    request(stalled, '/large')
  }
  await asked.promise
  await expect.poll(async () => ask(await next()), { interval: 20, timeout: 10_000 }).toContain('begun')
  expect(await ask(await next())).toContain('begun')
  expect(await ask(await next())).toBe('refused')
  expect(warnings).toHaveLength(1)
})

test('where everybody is busy a newcomer is refused, which is said once in a while', async () => {
  const asked = Promise.withResolvers<void>()
  const { dial: next, warnings } = await open({ most: 1 }, () => asked.resolve())
  const busy = await next()
  request(busy, '/')
  await asked.promise
  expect([await ask(await next()), await ask(await next())]).toEqual(['refused', 'refused'])
  expect(warnings).toEqual([{ connections: 1, refused: 1 }])
  expect(busy.destroyed).toBe(false)
})

describe('at the cap an address that holds fewer than another', () => {
  /** A server whose places are all taken by busy connections of one address. */
  async function openFull(most: number) {
    const asked: (() => void)[] = []
    const opened = await open({ most }, ({ url }, response) => {
      if (url === '/hold') {
        response.write('begun')
        asked.shift()?.()
      } else response.end()
    })
    const hold = async (from?: string) => {
      const socket = await opened.dial(from)
      const begun = new Promise<void>((resolve) => asked.push(resolve))
      socket.resume()
      request(socket, '/hold')
      await begun
      return socket
    }
    const heavy: Socket[] = []
    for (let index = 0; index < most; index += 1) heavy.push(await hold())
    return { ...opened, heavy, hold }
  }

  test('gets in though all are busy: the newest of the heaviest makes room', async () => {
    const { dial: next, heavy, warnings } = await openFull(3)
    const newestEnds = Promise.all(heavy.slice(2).map((socket) => once(socket, 'close')))
    expect(await ask(await next('127.0.0.2'))).toContain('200 OK')
    await newestEnds
    expect(heavy.slice(0, 2).map(({ destroyed }) => destroyed)).toEqual([false, false])
    expect(warnings).toEqual([])
  })

  test('is not put out again by newcomers of the heaviest, before or after it has asked', async () => {
    const { dial: next } = await openFull(4)
    const light = await next('127.0.0.2')
    for (let turn = 0; turn < 8; turn += 1) expect(await ask(await next())).toBe('refused')
    expect(await ask(light)).toContain('200 OK')
    for (let turn = 0; turn < 8; turn += 1) expect(await ask(await next())).toBe('refused')
    expect(await ask(light)).toContain('200 OK')
  })

  test('gets no more than its share: two do not put each other out in turns', async () => {
    const { dial: next, hold, heavy } = await openFull(5)
    await hold('127.0.0.2')
    await hold('127.0.0.2')
    expect(await ask(await next('127.0.0.2'))).toBe('refused')
    expect(await ask(await next())).toBe('refused')
    expect(heavy.slice(0, 3).map(({ destroyed }) => destroyed)).toEqual([false, false, false])
  })

  test('takes from the heaviest what it does not use, and from nobody else', async () => {
    const { dial: next } = await open({ most: 4 })
    const light = await next('127.0.0.3')
    const oldest = await next()
    for (const socket of [light, oldest, await next(), await next()]) expect(await ask(socket)).toContain('200 OK')
    const oldestEnds = once(oldest, 'close')
    expect(await ask(await next('127.0.0.2'))).toContain('200 OK')
    await oldestEnds
    expect(await ask(light)).toContain('200 OK')
  })

  test('has left its places when its connections have ended', async () => {
    const { dial: next, hold } = await openFull(3)
    for (let turn = 0; turn < 4; turn += 1) {
      const light = await hold('127.0.0.2')
      light.destroy()
      await expect.poll(async () => ask(await next())).toContain('200 OK')
    }
  })
})

test('a connection that has asked for nothing for a while makes room for a heavier address too', async () => {
  const { dial: next, warnings } = await open({ most: 3, restFor: 0 }, (_request, response) => response.write('begun'))
  const light = await next('127.0.0.2')
  const lightEnds = once(light, 'close')
  for (const socket of [await next(), await next()]) expect(await ask(socket)).toContain('begun')
  expect(await ask(await next())).toContain('begun')
  await lightEnds
  expect(warnings).toEqual([])
})
