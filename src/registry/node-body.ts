/**
 * Answers over Node's own response. A web stream that fails early can leave as a clean, short 200; here a body that cannot be completed
 * always breaks the connection.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ByteSource } from '../oci/byte-source.ts'
import type { Answer, Stream } from './answer.ts'
import type { BufferBudget, BufferPair } from './buffers.ts'
import type { HeaderMap } from './headers.ts'

export interface Connection {
  incoming: IncomingMessage
  outgoing: ServerResponse
}

/** ms without one byte drained by the client before its connection is broken; a total would cut long pulls. */
export interface Patience {
  stalledAfter: number
}

/** Sends an answer whose bytes are at hand. */
export function sendAnswer(answer: Answer, { outgoing }: Connection, { stalledAfter }: Patience): void {
  outgoing.setTimeout(stalledAfter, () => outgoing.destroy())
  outgoing.writeHead(answer.status, answer.headers)
  outgoing.end(answer.body)
}

/**
 * Sends a blob, the next read under way while the last one is being written; closes the source.
 * @returns `left` when the client broke the connection, or let it stall
 * @throws what the source throws, after the connection was broken
 */
export async function sendStream(
  stream: Stream,
  connection: Connection,
  options: Patience & { buffers: BufferBudget },
): Promise<'sent' | 'left'> {
  const { source, start, end } = stream
  const client = watchClient(connection, options.stalledAfter, () => void source.close().catch(() => undefined))
  const { buffer, leave } = options.buffers.enter(end === undefined ? undefined : end - start)
  try {
    client.begin(stream.status, stream.headers)
    await pump(stream, client, buffer)
    connection.outgoing.end()
    return 'sent'
  } catch (error) {
    if (client.isGone()) return 'left'
    breakOff(connection, end !== undefined)
    throw error
  } finally {
    leave()
    client.unwatch()
    await source.close()
  }
}

async function pump({ source, start, end }: Stream, client: Client, buffer: BufferPair): Promise<void> {
  const last = end ?? Number.POSITIVE_INFINITY
  let position = start
  let written: Promise<void> = Promise.resolve()
  let reading = readInto(source, position, buffer(0), last)
  for (let turn = 1; position < last; turn += 1) {
    const filled = await reading
    if (filled.length === 0) break
    position += filled.length
    await written
    // Writing takes the time of a copy: the next read is to run beside it.
    reading = readInto(source, position, buffer(turn), last)
    written = client.write(filled)
    // Whichever fails first is thrown; the other one is nobody's.
    reading.catch(() => undefined)
    written.catch(() => undefined)
  }
  await written
  if (end !== undefined && position !== end) throw new Error(`a body ended at ${position} instead of ${end}`)
}

/** What has been read; nothing at the end. */
async function readInto(source: ByteSource, position: number, buffer: Buffer, end: number): Promise<Buffer> {
  const room = buffer.subarray(0, Math.min(buffer.length, end - position))
  if (room.length === 0) return room
  const filled = await source.read(position, room)
  if (filled > room.length) throw new Error('a source has read past its buffer')
  return room.subarray(0, filled)
}

interface Client {
  begin(status: number, headers: HeaderMap): void
  /** Settles when the bytes have left for the kernel, so that their buffer is free. */
  write(chunk: Uint8Array): Promise<void>
  isGone(): boolean
  unwatch(): void
}

/** @param onGone called once, as soon as the client is known to have left */
function watchClient({ incoming, outgoing }: Connection, stalledAfter: number, onGone: () => void): Client {
  let gone = false
  let pending: PromiseWithResolvers<void> | undefined

  function leave(): void {
    if (gone || outgoing.writableFinished) return
    gone = true
    pending?.reject(new Error('the client has left'))
    onGone()
  }

  /** Node calls this only when no byte has drained meanwhile; where nothing waits to drain, it is the source that is slow. */
  function stalled(): void {
    if (pending) outgoing.destroy()
  }

  // A response that waits for its turn on a pipelined connection is told nothing; its request is.
  incoming.once('close', leave)
  outgoing.once('close', leave)
  if (incoming.destroyed || outgoing.destroyed) leave()

  return {
    begin(status, headers) {
      if (gone) throw new Error('the client has left')
      outgoing.strictContentLength = true
      outgoing.setTimeout(stalledAfter, stalled)
      outgoing.writeHead(status, headers)
      outgoing.flushHeaders()
    },
    async write(chunk) {
      if (gone) throw new Error('the client has left')
      const writing = Promise.withResolvers<void>()
      pending = writing
      // An error of the socket may come before its close.
      outgoing.write(chunk, (error) => (error ? leave() : writing.resolve()))
      try {
        await writing.promise
      } finally {
        pending = undefined
      }
    },
    isGone: () => gone,
    unwatch() {
      incoming.off('close', leave)
      outgoing.off('close', leave)
    },
  }
}

/**
 * A body that is shorter than its Content-Length, or chunked without its last chunk, shows that it broke. One that ends with its connection
 * (HTTP/1.0, size unknown) shows it only by a reset.
 */
function breakOff({ incoming, outgoing }: Connection, sizeKnown: boolean): void {
  const { socket } = outgoing
  if (!sizeKnown && incoming.httpVersion === '1.0' && socket?.remoteAddress !== undefined) socket.resetAndDestroy()
  outgoing.destroy()
}
