/** The cap on connections where a listener has TLS: requests then come on another socket than the one that was connected. */
import { once } from 'node:events'
import { createServer } from 'node:https'
import { connect as connectPlain, type AddressInfo, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { capConnections } from '../../src/registry/connections.ts'
import { answerPlaintext } from '../../src/registry/plaintext.ts'
import { issueCertificate } from '../support/certificates.ts'

async function open(most: number) {
  const { cert, key } = issueCertificate({ name: 'registry', hosts: ['localhost'] })
  const server = createServer({ cert, key }, (_request, response) => response.end('answer'))
  answerPlaintext(server)
  let refused = 0
  capConnections(server, { most, warn: () => (refused += 1) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const keep = <S extends Socket>(socket: S): S => {
    socket.on('error', () => {})
    onTestFinished(() => void socket.destroy())
    return socket
  }
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    refused: () => refused,
    connections: promisify(server.getConnections.bind(server)),
    dial: async () => {
      const taken = once(server, 'secureConnection')
      const socket = keep(connect({ port, host: '127.0.0.1', ca: cert, servername: 'localhost' }))
      await Promise.all([once(socket, 'secureConnect'), taken])
      return socket
    },
    /** Connects and never begins with TLS. */
    knock: async (options: { allowHalfOpen?: boolean } = {}) => {
      const taken = once(server, 'connection')
      const socket = keep(connectPlain({ port, host: '127.0.0.1', ...options }))
      await taken
      return socket
    },
  }
}

async function ask(socket: Socket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [answer] = await once(socket, 'data')
  return String(answer)
}

test('one that never begins with TLS makes room before those that have been used', async () => {
  const { dial, knock } = await open(2)
  const used = await dial()
  expect(await ask(used)).toContain('200 OK')
  const silent = await knock()
  const silentEnds = once(silent, 'close')
  expect(await ask(await dial())).toContain('200 OK')
  await silentEnds
  expect(await ask(used)).toContain('200 OK')
})

test('each connection counts once', async () => {
  const { dial, refused } = await open(3)
  const sockets = [await dial(), await dial(), await dial()]
  for (const socket of sockets) expect(await ask(socket)).toContain('200 OK')
  for (const socket of sockets) expect(await ask(socket)).toContain('200 OK')
  expect(refused()).toBe(0)
})

test('connections that have ended leave their places', async () => {
  const { dial } = await open(2)
  const kept = await dial()
  expect(await ask(kept)).toContain('200 OK')
  for (let turn = 0; turn < 5; turn += 1) {
    const socket = await dial()
    expect(await ask(socket)).toContain('200 OK')
    const ended = once(socket, 'close')
    socket.end()
    await ended
  }
  expect(await ask(kept)).toContain('200 OK')
})

test('one that speaks HTTP is told to say https, and leaves its place though it never hangs up', async () => {
  const { connections, dial, knock, refused } = await open(2)
  const plain = await knock({ allowHalfOpen: true })
  const answered = textOf(plain)
  plain.write('GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
  expect(await answered).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*\r\nConnection: close\r\n\r\n\{[^]*https:\/\//)
  await expect.poll(() => connections(), { timeout: 5_000 }).toBe(0)
  for (const socket of [await dial(), await dial()]) expect(await ask(socket)).toContain('200 OK')
  expect(refused()).toBe(0)
})

test('one that speaks neither TLS nor HTTP gets no answer', async () => {
  const { knock } = await open(1)
  const plain = await knock()
  const answered = textOf(plain)
  plain.write(Buffer.alloc(64, 1))
  expect(await answered).not.toContain('HTTP/')
})

async function textOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise<void>((resolve) => socket.once('end', resolve).once('close', () => resolve()))
  return Buffer.concat(chunks).toString()
}
