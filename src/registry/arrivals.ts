/**
 * The chunks of a request's body as Node reads them, one for each read of the socket. Node's own iterator joins what waits, which is
 * new memory and a copy of every byte.
 */
import type { IncomingMessage } from 'node:http'
import { freeChunk } from '../oci/chunk.ts'

export interface Arrivals {
  /** `undefined` at the end. One call at a time. @throws what broke the body */
  next(): Promise<Uint8Array | undefined>
  /** What has not been read yet stays in the socket. */
  stop(): void
}

export function arrivalsOf(incoming: IncomingMessage): Arrivals {
  const waiting: Uint8Array[] = []
  let taker: PromiseWithResolvers<Uint8Array | undefined> | undefined
  let end: { error?: unknown } | undefined

  function take(chunk: Uint8Array): void {
    incoming.pause()
    if (!taker) return void waiting.push(chunk)
    taker.resolve(chunk)
    taker = undefined
  }
  function finish(how: { error?: unknown }): void {
    end ??= how
    if ('error' in end) taker?.reject(end.error)
    else taker?.resolve(undefined)
    taker = undefined
  }
  const ended = () => finish({})
  const failed = (error: unknown) => finish({ error })
  const closed = () => void (end || finish({ error: new Error('The connection was closed.') }))

  incoming.pause()
  incoming.on('data', take)
  incoming.on('end', ended)
  incoming.on('error', failed)
  incoming.on('close', closed)
  return {
    async next() {
      const chunk = waiting.shift()
      if (chunk) return chunk
      if (!end && incoming.destroyed) closed()
      if (end && 'error' in end) throw end.error
      if (end) return undefined
      taker = Promise.withResolvers()
      incoming.resume()
      return taker.promise
    },
    stop() {
      incoming.pause()
      waiting.splice(0).forEach(freeChunk)
      incoming.off('data', take)
      incoming.off('end', ended)
      incoming.off('close', closed)
      // A connection that breaks later is nobody's error any more.
      incoming.off('error', failed)
      incoming.on('error', () => {})
    },
  }
}
