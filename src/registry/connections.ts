/**
 * The most connections that the server holds. At the cap the one that is used least makes room for the next, and the address that holds the
 * most of them for all others: Node's own `maxConnections` would drop the new one and keep a thousand that nobody uses.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { sourceOf } from './access/gate.ts'

export interface ConnectionLimits {
  /** Connections in all; default 1,024. */
  most?: number
  /** ms without a drained byte after which a reader makes room for others; default 10,000. */
  stalledAfter?: number
  /** ms in which a connection that asks for nothing makes no room for an address that holds more than its own does; default 5,000. */
  restFor?: number
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
  const { most = 1_024, stalledAfter = 10_000, restFor = 5_000, warnEvery = 10_000, lookEvery = 1_000 } = limits
  // The order of a Map is the order of arrival, so that the first is the one that has been there the longest: since when (monotonic ms).
  const silent = new Map<Socket, number>()
  const idle = new Map<Socket, number>()
  const busy = new Map<Socket, Busy>()
  /** Whom each connection is counted for, and how many each of them has. */
  const sources = new Map<Socket, string>()
  const heldBy = new Map<string, number>()
  /** Connections whose TLS is being agreed on, by who is at the other end. */
  const greeting = new Map<string, Socket>()
  let stalled = new Set<Socket>()
  let looked = Number.NEGATIVE_INFINITY
  let warned = Number.NEGATIVE_INFINITY
  let refused = 0

  server.on('connection', (socket) => {
    if (sources.size >= most && !makeRoom(sourceOf(socket.remoteAddress))) return refuse(socket)
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
    const place = placeOf(socket)
    const source = sourceOf(socket.remoteAddress)
    silent.set(socket, performance.now())
    sources.set(socket, source)
    heldBy.set(source, (heldBy.get(source) ?? 0) + 1)
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
    const source = sources.get(socket)
    if (source === undefined) return
    sources.delete(socket)
    const left = (heldBy.get(source) ?? 0) - 1
    if (left > 0) heldBy.set(source, left)
    else heldBy.delete(source)
  }

  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    // One that has made room may still have heads in its last piece.
    if (!sources.has(socket)) return
    silent.delete(socket)
    idle.delete(socket)
    const held = busy.get(socket) ?? { requests: 0, written: -1, queued: -1, at: 0 }
    held.requests += 1
    busy.set(socket, held)
    response.once('close', () => {
      held.requests -= 1
      if (held.requests > 0 || !busy.delete(socket)) return
      if (!socket.destroyed) idle.set(socket, performance.now())
    })
  })

  function makeRoom(source: string): boolean {
    const heaviest = heavierThan(source)
    const isTheirs = (socket: Socket) => sources.get(socket) === heaviest
    const victim =
      heaviest === undefined
        ? (unused(mayRest(source)) ?? stalledReader(() => true))
        : (unused(isTheirs) ?? stalledReader(isTheirs) ?? newestBusy(isTheirs))
    if (!victim) return false
    forget(victim)
    victim.destroy()
    return true
  }

  /** Who holds the most, if that is more than this one would hold with one more: else two would take turns in cutting each other's downloads. */
  function heavierThan(source: string): string | undefined {
    let heaviest: string | undefined
    let highest = (heldBy.get(source) ?? 0) + 1
    for (const [one, held] of heldBy) if (held > highest) [heaviest, highest] = [one, held]
    return heaviest
  }

  /** A flood of newcomers from one address leaves those of others the time to ask for something. */
  function mayRest(source: string) {
    const [held, now] = [heldBy.get(source) ?? 0, performance.now()]
    return (socket: Socket, since: number) =>
      now - since >= restFor || (heldBy.get(sources.get(socket) ?? '') ?? 0) >= held
  }

  /** One that never asked for anything goes first, then one that asks for nothing now. */
  function unused(mayGo: (socket: Socket, since: number) => boolean): Socket | undefined {
    for (const resting of [silent, idle]) for (const [socket, since] of resting) if (mayGo(socket, since)) return socket
    return undefined
  }

  /** The one for which the least has been done yet. */
  function newestBusy(mayGo: (socket: Socket) => boolean): Socket | undefined {
    return [...busy.keys()].findLast(mayGo)
  }

  /** One that does not take what it asked for. One look finds all of them; each is looked at again when its turn comes. */
  function stalledReader(mayGo: (socket: Socket) => boolean): Socket | undefined {
    const now = performance.now()
    if (now - looked >= lookEvery) {
      looked = now
      stalled = new Set([...busy].filter(([socket, held]) => hasStalled(socket, held, now)).map(([socket]) => socket))
    }
    for (const socket of stalled) {
      if (!mayGo(socket)) continue
      stalled.delete(socket)
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
