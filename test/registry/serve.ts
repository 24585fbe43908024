/** The registry behind a real server on loopback, and requests as raw bytes. */
import { type Socket, connect } from 'node:net'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { inspect, promisify } from 'node:util'
import { getRequestListener } from '@hono/node-server'
import { onTestFinished } from 'vitest'
import type { Log } from '../../src/observe/log.ts'
import { renderServerError } from '../../src/registry/errors.ts'
import { limitServer, serverOptions } from '../../src/registry/limits.ts'
import { answerInTurn } from '../../src/registry/pipeline.ts'
import { type RegistryOptions, createRegistry } from '../../src/registry/registry.ts'
import type { RangeRules } from '../../src/repository/range-rules.ts'
import { createRanges } from '../../src/repository/ranges.ts'
import { type MemoryContent, type MemoryRepository, createMemoryRepository } from './memory-repository.ts'

export interface Served {
  port: number
  /** Connections that are open on the server's side. */
  connections: () => Promise<number>
  repository: MemoryRepository
  /** What `resolve` was asked, as `path` or `path ns`. */
  resolved: string[]
  /** Messages and fields of warnings and errors. */
  logged: string[]
}

export interface ServeOptions extends Partial<RegistryOptions> {
  rules?: RangeRules
}

export async function serve(content: MemoryContent = {}, options: ServeOptions = {}): Promise<Served> {
  const repository = createMemoryRepository(content)
  const resolved: string[] = []
  const logged: string[] = []
  const keep = (message: string, fields?: object) => void logged.push(`${message} ${inspect(fields)}`)
  const log: Log = { debug: () => {}, info: () => {}, warn: keep, error: keep }
  const app = createRegistry({
    resolve: (path, ns) => {
      resolved.push(ns === undefined ? path : `${path} ${ns}`)
      return { repository, namespace: ns, rules: options.rules ?? { mode: 'on', profile: 'image' } }
    },
    ranges: createRanges(),
    names: [],
    log,
    ...options,
  })
  const listener = getRequestListener(app.fetch, { errorHandler: renderServerError })
  const server = createServer(
    serverOptions,
    answerInTurn((incoming, outgoing) => void listener(incoming, outgoing)),
  )
  limitServer(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('not listening on a port')
  const connections = promisify(server.getConnections.bind(server))
  return { port: address.port, connections, repository, resolved, logged }
}

export interface RawAnswer {
  status: number
  /** Names in lower case; several lines of one name are joined by a comma. */
  headers: Record<string, string>
  body: Buffer
  /** Everything, as it came. */
  raw: Buffer
}

export function requestText(method: string, target: string, headers: Record<string, string> = {}): string {
  const lines = Object.entries({ Host: 'localhost', Connection: 'close', ...headers }).map(([k, v]) => `${k}: ${v}`)
  return [`${method} ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n')
}

/** One request on its own connection, read to its end. */
export function ask(port: number, method: string, target: string, headers: Record<string, string> = {}) {
  return exchange(port, requestText(method, target, headers))
}

export async function exchange(port: number, request: string | Buffer): Promise<RawAnswer> {
  const socket = await open(port)
  socket.write(request)
  return parseAnswer(await readToEnd(socket))
}

export async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

/** A reset is an end too: what has arrived is what counts. */
export async function readToEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {})
  socket.resume()
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return Buffer.concat(chunks)
}

export function parseAnswer(raw: Buffer): RawAnswer {
  const end = raw.indexOf('\r\n\r\n')
  const [start = '', ...lines] = raw
    .subarray(0, end < 0 ? raw.length : end)
    .toString('latin1')
    .split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`
  }
  return { status: Number(start.split(' ')[1]), headers, body: end < 0 ? Buffer.alloc(0) : raw.subarray(end + 4), raw }
}
