/**
 * The most connections that the server holds. At the cap the one that is used least makes room for the next: Node's own
 * `maxConnections` would drop the new one and keep a thousand that nobody uses.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

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

/** A connection with requests under way. `bytes` had been sent `at` (monotonic ms) when it was last looked at. */
interface Busy {
  requests: number
  bytes: number
  at: number
}

export function capConnections(server: Server, limits: ConnectionLimits): void {
  const { most = 1_024, stalledAfter = 10_000, warnEvery = 10_000, lookEvery = 1_000 } = limits
  // The order of a Set is the order of arrival, so that the first is the one that has been there the longest.
  const silent = new Set<Socket>()
  const idle = new Set<Socket>()
  const busy = new Map<Socket, Busy>()
  let looked = Number.NEGATIVE_INFINITY
  let warned = Number.NEGATIVE_INFINITY
  let refused = 0

  server.on('connection', (socket) => {
    const isFull = silent.size + idle.size + busy.size >= most
    if (isFull && !makeRoom()) return refuse(socket)
    silent.add(socket)
    socket.once('close', () => {
      silent.delete(socket)
      idle.delete(socket)
      busy.delete(socket)
    })
  })

  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    silent.delete(socket)
    idle.delete(socket)
    const held = busy.get(socket) ?? { requests: 0, bytes: -1, at: 0 }
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
    const victim = unused ?? stalled()
    if (!victim) return false
    for (const connections of [silent, idle, busy]) connections.delete(victim)
    victim.destroy()
    return true
  }

  function stalled(): Socket | undefined {
    const now = performance.now()
    if (now - looked < lookEvery) return undefined
    looked = now
    let found: Socket | undefined
    for (const [socket, held] of busy) {
      const waits = socket.writableLength > 0 && socket.bytesWritten === held.bytes
      if (waits && now - held.at >= stalledAfter) found ??= socket
      if (!waits) Object.assign(held, { bytes: socket.bytesWritten, at: now })
    }
    return found
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
