/** A daemon that is pushed to over raw sockets, one connection a request, and what it has kept of that. */
import { readdir } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { exchange, open, parseAnswer, type RawAnswer, requestText } from '../registry/serve.ts'
import { type Daemon, type DaemonOptions, startDaemon } from '../support/daemon.ts'

export const base = '/v2/local/app'
/** The blob that nobody gets in. */
export const blob = Buffer.alloc(100_000, 'what was meant to come ')
export const digest = digestOf(blob)
/** The only blob that is there. */
export const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(Buffer.from('{}')), size: 2 }

export interface Pushed {
  daemon: Daemon
  port: number
  send(method: string, target: string, body?: Uint8Array, headers?: Record<string, string>): Promise<RawAnswer>
  /** The Location of a session, which ends with the test at the latest. */
  startUpload(): Promise<string>
  /** No blob, no tag, no file but the config's, no room taken; the session ends first, whether or not it is there. */
  expectNothingKept(location?: string): Promise<void>
}

export async function startPushed(options: DaemonOptions = {}): Promise<Pushed> {
  const daemon = await startDaemon({ config: { dockerConfig: 'off' }, ...options })
  const port = Number(new URL(daemon.url).port)

  const send: Pushed['send'] = async (method, target, body, headers = {}) => {
    if (body === undefined) return exchange(port, requestText(method, target, headers))
    const head = requestText(method, target, { 'Content-Length': String(body.length), ...headers })
    return exchange(port, Buffer.concat([Buffer.from(head), body]))
  }

  /** Bytes kept and reserved: what is said to whoever asks for more than there can be. */
  async function roomUsed(): Promise<number> {
    const answer = await send('POST', `${base}/blobs/uploads/?digest=${digest}`, Buffer.alloc(0), {
      'Content-Length': String(10 ** 15),
    })
    return JSON.parse(answer.body.toString()).errors[0].detail.used
  }

  const { status } = await send('POST', `${base}/blobs/uploads/?digest=${config.digest}`, Buffer.from('{}'))
  if (status !== 201) throw new Error(`the config could not be pushed: ${status}`)

  return {
    daemon,
    port,
    send,
    async startUpload() {
      const location = (await send('POST', `${base}/blobs/uploads/`, Buffer.alloc(0))).headers.location ?? ''
      // A test that fails leaves nothing for the next one to stumble over.
      onTestFinished(async () => void (await send('DELETE', location)))
      return location
    },
    async expectNothingKept(location) {
      if (location !== undefined) await send('DELETE', location)
      expect((await send('HEAD', `${base}/blobs/${digest}`)).status).toBe(404)
      const listed = await send('GET', `${base}/tags/list`)
      expect(JSON.parse(listed.body.toString()).tags ?? []).toEqual([])
      expect(await filesIn(daemon, 'blobs')).toHaveLength(1)
      await expect.poll(() => filesIn(daemon, 'spool')).toEqual([])
      await expect.poll(roomUsed).toBe(config.size)
    },
  }
}

export function expectRefused({ status, body, headers }: RawAnswer, wanted: number, code: string): void {
  expect(headers['content-type']).toBe('application/json')
  expect({ status, errors: JSON.parse(body.toString()).errors }).toMatchObject({ status: wanted, errors: [{ code }] })
}

/** What comes back, up to the end of the answer's body or of the connection, whichever is first. */
export async function answerTo(port: number, request: Uint8Array): Promise<RawAnswer & { socket: Socket }> {
  const socket = await open(port)
  socket.write(request)
  const chunks: Buffer[] = []
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      const { headers, body } = parseAnswer(Buffer.concat(chunks))
      if (body.length > 0 && body.length === Number(headers['content-length'])) resolve()
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve())
  })
  return { ...parseAnswer(Buffer.concat(chunks)), socket }
}

async function filesIn(daemon: Daemon, folder: string): Promise<string[]> {
  const entries = await readdir(join(daemon.data, folder), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}
