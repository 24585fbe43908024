/** Bodies as they arrive: slow, stalled, broken off, too long, and read no faster than they are taken. */
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { ociManifest } from '../../src/oci/media-types.ts'
import type { Gate } from '../../src/registry/access/gate.ts'
import type { Upload } from '../../src/repository/hosted.ts'
import { openPushing, session, uploads } from './pushing.ts'
import { ask, open, parseAnswer, readToEnd, requestText } from './serve.ts'

const oneMebibyte = 1024 * 1024

describe('a body', () => {
  test('that pauses longer than any limit of a whole request is taken, as long as it moves', async () => {
    const { port, hosted, send } = await openPushing({ pace: { window: 150, leastBytes: 10 } })
    await send('POST', uploads)
    const socket = await open(port)
    socket.write(requestText('PATCH', session, { 'Content-Length': '100' }))
    for (let sent = 10; sent <= 100; sent += 10) {
      socket.write('x'.repeat(10))
      await expect.poll(() => hosted.arrived('session-1'), { interval: 5 }).toBe(sent)
      // A pause of the client is what is tested.
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
    expect(parseAnswer(await readToEnd(socket)).status).toBe(202)
  })

  test.each([
    ['stalls', () => {}],
    ['trickles', (write: (text: string) => void) => write('x')],
  ])('that %s ends its connection; what has arrived stays', async (_how, more) => {
    const { port, hosted, send } = await openPushing({ pace: { window: 100, leastBytes: 1000 } })
    await send('POST', uploads)
    const socket = await open(port)
    const trickle = setInterval(() => more((text) => void socket.write(text)), 20)
    socket.write(`${requestText('PATCH', session, { 'Content-Length': '100000' })}0123456789`)
    await readToEnd(socket)
    clearInterval(trickle)
    expect(hosted.arrived('session-1')).toBeGreaterThanOrEqual(10)
    expect(hosted.open()).toEqual(['session-1'])
    expect((await ask(port, 'GET', session)).status).toBe(204)
  })

  test('that a client breaks off leaves the session where it was, and is no error of ours', async () => {
    const { port, hosted, send, logged } = await openPushing()
    await send('POST', uploads)
    const socket = await open(port)
    socket.write(`${requestText('PATCH', session, { 'Content-Length': '100' })}0123456789`)
    await expect.poll(() => hosted.arrived('session-1')).toBe(10)
    socket.destroy()
    await expect.poll(async () => (await ask(port, 'GET', session)).headers.range).toBe('0-9')
    expect(logged).toEqual([])
  })

  test('of a large manifest that takes too long is 408, and the next one has its turn', async () => {
    const { port, hosted, send } = await openPushing({ intake: { most: 1, small: 0, within: 40 } })
    const socket = await open(port)
    const head = { 'Content-Length': '100', 'Content-Type': 'application/vnd.example+json' }
    socket.write(`${requestText('PUT', '/v2/team/app/manifests/1', head)}{`)
    const slow = setInterval(() => socket.write(' '), 15)
    const answer = parseAnswer(await readToEnd(socket))
    clearInterval(slow)
    expect([answer.status, hosted.manifests.size]).toEqual([408, 0])
    const next = { body: Buffer.from('{}'), headers: { 'Content-Type': 'application/vnd.example+json' } }
    expect((await send('PUT', '/v2/team/app/manifests/2', next)).status).toBe(201)
  })

  test('of a large manifest that stalls keeps no other user from pushing one', async () => {
    const gate: Gate = {
      async visitor(head) {
        const name = head.header('x-user').join()
        return { name, isStranger: false, mayEnter: true, may: () => true, mayPull: () => true, hasRules: false }
      },
    }
    const { port, hosted, send } = await openPushing({ gate, intake: { most: 4, share: 2, small: 10 } })
    const type = { 'Content-Type': 'application/vnd.example+json' }
    const slow = Array.from({ length: 8 }, async (_, number) => {
      const socket = await open(port)
      const head = { ...type, 'X-User': 'mallory', 'Content-Length': '100' }
      socket.write(`${requestText('PUT', `/v2/team/app/manifests/slow-${number}`, head)}${' '.repeat(99)}`)
      return socket
    })
    const sockets = await Promise.all(slow)
    const quick = { body: Buffer.alloc(100, ' '), headers: { ...type, 'X-User': 'alice' } }
    for (const tag of ['1', '2', '3'])
      expect((await send('PUT', `/v2/team/app/manifests/${tag}`, quick)).status).toBe(201)
    // Those that stalled have their turns too, one after another.
    const answers = sockets.map(readToEnd)
    for (const socket of sockets) socket.write(' ')
    for (const answer of await Promise.all(answers)) expect(parseAnswer(answer).status).toBe(201)
    expect(hosted.tagged.size).toBe(11)
  })

  test('of a manifest takes no place before it is large, whether or not it says its length', async () => {
    const { port, send } = await openPushing({ intake: { most: 1, share: 1, small: 50 } })
    const type = { 'Content-Type': 'application/vnd.example+json' }
    const lengths: Record<string, string>[] = [{ 'Content-Length': '100' }, { 'Transfer-Encoding': 'chunked' }]
    const waits = lengths.map(async (length) => {
      const socket = await open(port)
      socket.write(`${requestText('PUT', '/v2/team/app/manifests/slow', { ...type, ...length })}1\r\n \r\n`)
    })
    await Promise.all(waits)
    const large = { body: Buffer.alloc(100, ' '), headers: type }
    expect((await send('PUT', '/v2/team/app/manifests/1', large)).status).toBe(201)
  })

  test('that is refused half-way is answered, and its connection kept for a moment: of the last 32', async () => {
    const { port } = await openPushing({ lingerFor: 60_000 })
    const head = { 'Content-Type': ociManifest, 'Content-Length': '100000', Connection: 'keep-alive' }
    const bomb = `${requestText('PUT', '/v2/team/app/manifests/1', head)}${'['.repeat(40)}`
    const sockets = await Promise.all(Array.from({ length: 40 }, () => open(port)))
    const answers = sockets.map(async (socket) => {
      const answer = once(socket, 'data')
      socket.on('error', () => {})
      socket.write(bomb)
      return String((await answer)[0])
    })
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    await expect.poll(() => sockets.filter(({ closed }) => !closed).length).toBe(32)
  })

  test('that nobody reads does not hold its connection', async () => {
    const { port } = await openPushing()
    const socket = await open(port)
    socket.write(
      requestText('PUT', '/v2/team/app/manifests/.bad', {
        'Content-Length': String(10 ** 12),
        Connection: 'keep-alive',
      }),
    )
    const answer = parseAnswer(await readToEnd(socket))
    expect(answer.status).toBe(400)
  })

  test('that waits for a 100 Continue gets one', async () => {
    const { port, hosted, send } = await openPushing()
    await send('POST', uploads)
    const socket = await open(port)
    socket.write(requestText('PATCH', session, { 'Content-Length': '10', Expect: '100-continue' }))
    const [first] = await once(socket, 'data')
    expect(String(first)).toMatch(/^HTTP\/1\.1 100 Continue/)
    socket.write('0123456789')
    expect(parseAnswer(await readToEnd(socket)).headers.range).toBe('0-9')
    expect(hosted.arrived('session-1')).toBe(10)
  })

  test('is read no faster than it is taken', async () => {
    const { port, hosted, send } = await openPushing()
    await send('POST', uploads)
    const real = hosted.upload.bind(hosted)
    const taking = Promise.withResolvers<void>()
    hosted.upload = async (id, by) => {
      const upload = await real(id, by)
      return upload && slowly(upload, taking.promise)
    }
    const socket = await open(port)
    socket.write(requestText('PATCH', session, { 'Content-Length': String(64 * oneMebibyte) }))
    const piece = Buffer.alloc(oneMebibyte)
    for (let sent = 0; sent < 64; sent += 1) socket.write(piece)
    // What the kernel's buffers hold has left; the rest waits here, not in the registry.
    await expect.poll(() => socket.bytesWritten - socket.writableLength).toBeGreaterThan(0)
    expect(socket.writableLength).toBeGreaterThan(32 * oneMebibyte)
    taking.resolve()
    expect(parseAnswer(await readToEnd(socket)).status).toBe(202)
    expect(hosted.arrived('session-1')).toBe(64 * oneMebibyte)
  })
})

function slowly(upload: Upload, until: Promise<void>): Upload {
  return {
    id: upload.id,
    get offset() {
      return upload.offset
    },
    append: (body, start, length) => upload.append(delayed(body, until), start, length),
    commit: (digest) => upload.commit(digest),
    cancel: () => upload.cancel(),
  }
}

async function* delayed(body: AsyncIterable<Uint8Array>, until: Promise<void>): AsyncIterable<Uint8Array> {
  for await (const chunk of body) {
    await until
    yield chunk
  }
}
