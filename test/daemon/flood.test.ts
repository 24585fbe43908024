/** Connections that nobody uses do not keep out those that are. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { configFor, startEntrepot, temporaryFolder } from './entrepot.ts'
import { pull } from './pulling.ts'

let upstream: ScriptedRegistry
let flood: Socket[] = []
beforeEach(async () => {
  upstream = await startScriptedRegistry()
})
afterEach(async () => {
  for (const socket of flood) socket.destroy()
  flood = []
  await upstream.close()
})

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
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
