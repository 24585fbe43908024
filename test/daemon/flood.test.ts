/** Whoever floods the daemon keeps out nobody else, and costs it little. */
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { configFor, startEntrepot, temporaryFolder } from './entrepot.ts'
import { pull } from './pulling.ts'

let upstream: ScriptedRegistry
let flood: Socket[] = []
beforeEach(async () => {
  upstream = await startScriptedRegistry()
})
afterEach(async () => {
  endFlood()
  await upstream.close()
})

function endFlood(): void {
  for (const socket of flood) socket.destroy()
  flood = []
}

async function open(port: number, from = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  socket.on('error', () => {})
  socket.resume()
  flood.push(socket)
  await once(socket, 'connect')
  return socket
}

test.each([
  ['say nothing', ''],
  ['have said what they wanted', 'GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n'],
])('2,000 connections that %s', async (_what, request) => {
  const folder = await temporaryFolder()
  const config = await configFor(folder, upstream)
  const daemon = await startEntrepot({ data: join(folder, 'data'), config })
  const digest = upstream.putBlob('app', 'pulled beside a flood')
  const url = `${daemon.url}/v2/up.example/app/blobs/${digest}`
  const { port } = new URL(daemon.url)
  for (let batch = 0; batch < 20; batch += 1) {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => open(Number(port))))
    for (const socket of sockets) socket.write(request)
    expect(await pull(url)).toMatchObject({ status: 200, digest })
  }
  await expect.poll(() => flood.filter((socket) => !socket.destroyed).length).toBeLessThanOrEqual(1_024)
  await daemon.stop()
})

test('1,024 connections of one address that all send a body slowly keep out no other address', async () => {
  const folder = await temporaryFolder()
  const config = await configFor(folder, upstream)
  const daemon = await startEntrepot({ data: join(folder, 'data'), config })
  const port = Number(new URL(daemon.url).port)
  const head = `Host: localhost\r\nContent-Type: ${ociManifest}\r\nContent-Length: 4000000\r\n`
  while (!daemon.stdout().includes('clients are refused')) {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(port)))
    for (const socket of sockets) socket.write(`PUT /v2/local/app/manifests/1 HTTP/1.1\r\n${head}\r\n{`)
  }
  for (let turn = 0; turn < 20; turn += 1) {
    const other = await open(port, '127.0.0.2')
    const answered = Promise.race([once(other, 'data'), once(other, 'close')])
    other.write('GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(String(await answered)).toContain('200 OK')
  }
  endFlood()
  await daemon.stop()
})

test('blobs that are asked for in a pipeline and never read hold one file a connection', async () => {
  const folder = await temporaryFolder()
  const config = await configFor(folder, upstream)
  const daemon = await startEntrepot({ data: join(folder, 'data'), config })
  const blob = Buffer.alloc(16 * 1024 * 1024, 'pipeline')
  const digest = digestOf(blob)
  const uploads = `${daemon.url}/v2/local/app/blobs/uploads/?digest=${digest}`
  expect((await fetch(uploads, { method: 'POST', body: blob })).status).toBe(201)
  const path = `/v2/local/app/blobs/${digest}`
  const greedy = await Promise.all(Array.from({ length: 10 }, () => open(Number(new URL(daemon.url).port))))
  const before = (await readdir(`/proc/${daemon.pid}/fd`)).length
  for (const socket of greedy) socket.pause().write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(30))
  await expect.poll(() => Math.min(...greedy.map(({ bytesRead }) => bytesRead))).toBeGreaterThan(0)
  expect(await pull(daemon.url + path)).toMatchObject({ status: 200, digest })
  expect((await readdir(`/proc/${daemon.pid}/fd`)).length).toBeLessThanOrEqual(before + 3 * greedy.length)
  endFlood()
  await daemon.stop()
})
