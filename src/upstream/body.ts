/** Response bodies with limits: a body that stalls, trickles, breaks or grows too long ends in an UpstreamError. */
import { failureOf, inSeconds, timedOut, wrong } from './failure.ts'
import { giveBack } from './read-buffers.ts'

export interface Pace {
  /** The least bytes a second, as the mean over `window`. */
  bytesPerSecond: number
  /** ms. */
  window: number
}

/** Who sends a body, for sentences. */
interface Source {
  upstream: string
  host: string
}

export interface BodyOrigin extends Source {
  signal: AbortSignal
}

/**
 * The chunks of a body. Only the time that is spent waiting for upstream counts against the pace, so that a slow reader
 * does not make a fast upstream look slow.
 */
export async function* pacedBody(
  chunks: AsyncIterable<Uint8Array>,
  origin: BodyOrigin,
  pace: Pace,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]()
  let waited = 0
  let received = 0
  try {
    for (;;) {
      const before = performance.now()
      const { done, value } = await iterator.next()
      if (done === true) return
      waited += performance.now() - before
      received += value.length
      if (waited >= pace.window) {
        if (received < (pace.bytesPerSecond * waited) / 1000) throw tooSlow(origin, received, waited)
        waited = 0
        received = 0
      }
      yield value
    }
  } catch (error) {
    origin.signal.throwIfAborted()
    throw failureOf(origin.upstream, origin.host, error)
  } finally {
    await iterator.return?.()
  }
}

export interface TransferLimits {
  /** ms until its last byte. */
  within: number
  /** Bytes. */
  size: number
}

/**
 * Each chunk is its reader's only until it asks for the next one, and is given back then: left to the garbage collector, the chunks
 * of a fast body make it run after every 20 MiB.
 * @throws UpstreamError `wrong` for a body that goes on beyond its limits
 */
export async function* lentBody(
  chunks: AsyncIterable<Uint8Array>,
  origin: Source,
  { within, size }: TransferLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  const deadline = performance.now() + within
  let received = 0
  for await (const chunk of chunks) {
    received += chunk.length
    if (received > size) throw tooLong(origin, size)
    if (performance.now() > deadline) throw tooLate(origin, within)
    yield chunk
    giveBack(chunk)
  }
}

/** @throws UpstreamError `wrong` past `limit` bytes */
export async function collectBody(
  chunks: AsyncIterable<Uint8Array>,
  origin: BodyOrigin,
  limit: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.length
    if (length > limit) throw tooLong(origin, limit)
    parts.push(chunk)
  }
  return Buffer.concat(parts, length)
}

export function tooLong({ upstream, host }: Source, limit: number) {
  return wrong(upstream, `The answer of ${upstream} (${host}) is larger than the ${limit} bytes that are allowed here.`)
}

function tooLate({ upstream, host }: Source, within: number) {
  return wrong(upstream, `A blob of ${upstream} (${host}) did not come to its end within ${inSeconds(within)}.`)
}

function tooSlow({ upstream, host }: BodyOrigin, received: number, waited: number) {
  const seconds = Math.round(waited / 1000)
  return timedOut(upstream, `${upstream} (${host}) sent only ${received} bytes in ${seconds} s.`)
}
