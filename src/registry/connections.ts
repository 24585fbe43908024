/**
 * The most connections that the server holds. At the cap the one that is used least makes room for the next: Node's own
 * `maxConnections` would drop the new one and keep a thousand that nobody uses.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'

export interface ConnectionLimits {
  /** Connections in all; default 1,024. */
  most?: number
  /** ms without a drained byte after which a reader makes room for others; default 10,000. */
  stalledAfter?: number
  /** ms between two warnings that somebody was refused, and between two looks for stalled readers; defaults 10,000 and 1,000. */
  warnEvery?: number
  lookEvery?: number
  warn: (message: string, fields: { connections: number; refused: number }) => void
}

/** A connection with requests under way, and how far it was when it was last seen to move, `at` (monotonic ms). */
interface Busy {
  requests: number
  written: number
  queued: number
  at: number
}

export function capConnections(server: Server, limits: ConnectionLimits): void {
  const { most = 1_024, stalledAfter = 10_000, warnEvery = 10_000, lookEvery = 1_000 } = limits
  // The order of a Set is the order of arrival, so that the first is the one that has been there the longest.
  const silent = new Set<Socket>()
  const idle = new Set<Socket>()
  const busy = new Map<Socket, Busy>()
  /** Connections whose TLS is being agreed on, by who is at the other end. */
  const greeting = new Map<string, Socket>()
  let stalled: Socket[] = []
  let looked = Number.NEGATIVE_INFINITY
  let warned = Number.NEGATIVE_INFINITY
  let refused = 0

  server.on('connection', (socket) => {
    const isFull = silent.size + idle.size + busy.size >= most
    if (isFull && !makeRoom()) return refuse(socket)
    count(socket)
    if (server instanceof TlsServer) greeting.set(placeOf(socket), socket)
  })

  // Requests come on a socket of its own, over the one that was counted until now.
  server.on('secureConnection', (socket: Socket) => {
    const place = placeOf(socket)
    forget(greeting.get(place))
    greeting.delete(place)
    count(socket)
  })

  function count(socket: Socket): void {
    silent.add(socket)
    const place = placeOf(socket)
    socket.once('close', () => {
      forget(socket)
      if (greeting.get(place) === socket) greeting.delete(place)
    })
  }

  function forget(socket: Socket | undefined): void {
    if (!socket) return
    silent.delete(socket)
    idle.delete(socket)
    busy.delete(socket)
  }

  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    silent.delete(socket)
    idle.delete(socket)
    const held = busy.get(socket) ?? { requests: 0, written: -1, queued: -1, at: 0 }
    held.requests += 1
    busy.set(socket, held)
    response.once('close', () => {
      held.requests -= 1
      if (held.requests > 0 || !busy.delete(socket)) return
      if (!socket.destroyed) idle.add(socket)
    })
  })

  /** One that never asked for anything goes first, then one that asks for nothing now, then one that does not take what it asked for. */
  function makeRoom(): boolean {
    const [unused] = silent.size > 0 ? silent : idle
    const victim = unused ?? stalledReader()
    if (!victim) return false
    for (const connections of [silent, idle, busy]) connections.delete(victim)
    victim.destroy()
    return true
  }

  /** One look finds all of them; each is looked at again when its turn comes. */
  function stalledReader(): Socket | undefined {
    const now = performance.now()
    if (now - looked >= lookEvery) {
      looked = now
      stalled = [...busy].filter(([socket, held]) => hasStalled(socket, held, now)).map(([socket]) => socket)
    }
    for (let socket = stalled.shift(); socket; socket = stalled.shift()) {
      const held = busy.get(socket)
      if (held && hasStalled(socket, held, now)) return socket
    }
    return undefined
  }

  function hasStalled(socket: Socket, held: Busy, now: number): boolean {
    const written = socket.bytesWritten
    const queued = queuedBytes(socket)
    const waits = socket.writableLength > 0 && written === held.written && queued === held.queued
    if (!waits) Object.assign(held, { written, queued, at: now })
    return waits && now - held.at >= stalledAfter
  }

  function refuse(socket: Socket): void {
    socket.destroy()
    refused += 1
    if (performance.now() - warned < warnEvery) return
    warned = performance.now()
    limits.warn('clients are refused: all connections are in use', { connections: most, refused })
    refused = 0
  }
}

/** No two connections to one listener have the same. */
function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

/**
 * What the kernel has not taken yet. `bytesWritten` counts a chunk as soon as it is handed over, however long it then takes, so Node's own
 * timeouts look at this too; it has no public name, and where it should be gone only whole chunks are seen to move.
 */
function queuedBytes(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle !== 'object' || handle === null || !('writeQueueSize' in handle)) return 0
  return typeof handle.writeQueueSize === 'number' ? handle.writeQueueSize : 0
}
