/** Requests that are sent without waiting for their answers. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { answerInTurn, type PipelineLimits } from '../../src/registry/pipeline.ts'

interface Asked {
  incoming: IncomingMessage
  outgoing: ServerResponse
}

/** A server that answers when the test says so. */
async function open(limits?: PipelineLimits, listener?: RequestListener) {
  const asked: Asked[] = []
  const server = createServer(
    answerInTurn((incoming, outgoing) => {
      asked.push({ incoming, outgoing })
      listener?.(incoming, outgoing)
    }, limits),
  )
  /** Heads that Node has handed over. */
  let handed = 0
  server.on('request', () => (handed += 1))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { asked, handed: () => handed, dial: () => dial(port) }
}

async function dial(port: number): Promise<Socket & { text: () => string }> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  let text = ''
  socket.on('data', (chunk) => (text += String(chunk)))
  await once(socket, 'connect')
  return Object.assign(socket, { text: () => text })
}

function head(path: string, lines = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n`
}

const paths = (count: number) => Array.from({ length: count }, (_, index) => `/${index}`)

test('one request of a connection is looked at when the answer before it has ended, and in the order in which they came', async () => {
  const { asked, handed, dial: next } = await open()
  const client = await next()
  client.write(
    paths(5)
      .map((path) => head(path))
      .join(''),
  )
  await expect.poll(handed).toBe(5)
  for (const [index, path] of paths(5).entries()) {
    await expect.poll(() => asked.map(({ incoming }) => incoming.url)).toEqual(paths(index + 1))
    asked[index]?.outgoing.end(`<${path}>`)
  }
  await expect.poll(() => client.text().match(/<\/\d>/g)).toEqual(paths(5).map((path) => `<${path}>`))
})

test('other connections do not wait for it', async () => {
  const { asked, dial: next } = await open()
  for (const client of [await next(), await next()]) client.write(head('/'))
  await expect.poll(() => asked.length).toBe(2)
})

test('a body of a request that waits is whole when its turn comes', async () => {
  const bodies: string[] = []
  const { asked, dial: next } = await open({}, (incoming, outgoing) => {
    let body = ''
    incoming.on('data', (chunk) => (body += String(chunk)))
    incoming.on('end', () => {
      bodies.push(body)
      if (body !== '') outgoing.end('taken')
    })
  })
  const client = await next()
  const large = 'x'.repeat(300_000)
  client.write(head('/first') + head('/second', `Content-Length: ${large.length}\r\n`).replace('GET', 'PUT') + large)
  await expect.poll(() => bodies).toEqual([''])
  asked[0]?.outgoing.end()
  await expect.poll(client.text).toContain('taken')
  expect(bodies[1]?.length).toBe(large.length)
})

test('a connection on which too many wait is closed, and none of them is looked at', async () => {
  const { asked, dial: next } = await open({ most: 4 })
  const patient = await next()
  patient.write(head('/').repeat(5))
  const greedy = await next()
  const closed = once(greedy, 'close')
  greedy.write(head('/').repeat(600))
  await closed
  expect(asked).toHaveLength(2)
  expect(patient.destroyed).toBe(false)
})

test('a connection on which the heads that wait are too large together is closed', async () => {
  const { asked, dial: next } = await open({ mostBytes: 4_096 })
  const client = await next()
  const closed = once(client, 'close')
  client.write(head('/', `X-Large: ${'x'.repeat(1_500)}\r\n`).repeat(4))
  await closed
  expect(asked).toHaveLength(1)
})

test('what waits when its client leaves, or when the connection is to end, is never looked at', async () => {
  const { asked, handed, dial: next } = await open()
  const leaving = await next()
  leaving.write(head('/').repeat(3))
  await expect.poll(handed).toBe(3)
  leaving.destroy()
  await expect.poll(() => asked[0]?.incoming.destroyed).toBe(true)
  const ending = await next()
  const closed = once(ending, 'close')
  ending.write(head('/last') + head('/after'))
  await expect.poll(() => asked.length).toBe(2)
  asked[1]?.outgoing.writeHead(200, { Connection: 'close' }).end('the last')
  await closed
  expect(ending.text()).toContain('the last')
  expect(asked).toHaveLength(2)
})

test('a long pipeline goes on as long as few wait at a time', async () => {
  const { asked, dial: next } = await open(
    { most: 3, mostBytes: 200 },
    (_incoming, outgoing) => void outgoing.end('<answer>'),
  )
  const client = await next()
  for (let round = 1; round <= 20; round += 1) {
    client.write(head('/').repeat(3))
    await expect.poll(() => client.text().match(/<answer>/g)?.length).toBe(3 * round)
  }
  expect(asked).toHaveLength(60)
})
