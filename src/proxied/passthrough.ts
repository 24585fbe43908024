/**
 * A blob that there is no room for: one client's own transfer, hashed as it passes, its newest bytes withheld until the digest is
 * verified, nothing kept. It may begin in the middle of what a download has spooled before it ran out of room.
 */
import type { Hash } from 'node:crypto'
import type { ByteSource } from '../oci/byte-source.ts'
import { algorithmOf, type Digest, hashedDigest } from '../oci/digest.ts'
import { UpstreamError } from '../oci/errors.ts'
import type { Transfer } from '../upstream/upstream.ts'
import { withheld } from './progress.ts'

export interface PassthroughOptions {
  upstream: string
  digest: Digest
  size: number | undefined
  /** Exclusive end of a closed range: its last byte waits for the digest. */
  closedEnd: number | undefined
  /** How many bytes have passed already, and the hash of them. */
  from: number
  hash: Hash
  /** Bytes before `from`, out of a spool that still can be read. */
  before: (position: number, buffer: Uint8Array) => Promise<number>
  /** A transfer from `from` on that has begun already; it ends with this reading, read or not. */
  begun?: Transfer
  /** The blob's bytes from an offset. */
  fetch: (from: number) => Promise<Transfer | undefined>
}

export function createPassthrough(options: PassthroughOptions): ByteSource {
  const { upstream, digest, size, closedEnd, hash } = options
  const closing = Promise.withResolvers<never>()
  closing.promise.catch(() => {})
  let transfer = options.begun
  let chunks: AsyncIterator<Uint8Array> | undefined
  let queue: Uint8Array[] = []
  let queueStart = options.from
  let passed = options.from
  let verified = false
  let closed = false

  return {
    get size() {
      return size ?? (verified ? passed : undefined)
    },
    async read(position, buffer) {
      if (closed) throw new Error('The reader is closed.')
      while (position >= shownTo()) {
        if (verified) return 0
        await receive(position)
      }
      if (position < options.from) return takeBefore(position, buffer)
      return take(position, buffer.subarray(0, shownTo() - position))
    },
    async close() {
      closed = true
      closing.reject(new Error('The reader is closed.'))
      transfer?.abort()
    },
  }

  function shownTo(): number {
    if (verified) return passed
    const shown = Math.max(0, passed - withheld)
    return closedEnd === undefined ? shown : Math.min(shown, closedEnd - 1)
  }

  /** One more chunk; what stands before `position`, or behind a closed range, need not stay. */
  async function receive(position: number): Promise<void> {
    chunks ??= await Promise.race([begin(), closing.promise])
    const { done, value } = await Promise.race([chunks.next(), closing.promise])
    if (done) return verify()
    hash.update(value)
    passed += value.length
    if (size !== undefined && passed > size) throw wrong(`more than the ${size} bytes it announced`)
    if (closedEnd === undefined || passed - value.length < closedEnd) queue.push(Buffer.from(value))
    forget(position)
  }

  async function begin(): Promise<AsyncIterator<Uint8Array>> {
    transfer ??= await options.fetch(options.from)
    if (!transfer) throw wrong('404 for a blob that it had begun to send')
    if (closed) transfer.abort()
    return skip(transfer.body, options.from - transfer.from)[Symbol.asyncIterator]()
  }

  function verify(): void {
    const actual = hashedDigest(algorithmOf(digest), hash)
    if (size !== undefined && passed !== size) throw wrong(`${passed} bytes of ${size}`)
    if (actual !== digest) throw wrong(`bytes whose digest is ${actual}, not ${digest}`)
    verified = true
  }

  function forget(position: number): void {
    for (let [first] = queue; first && queueStart + first.length <= position; [first] = queue) {
      queueStart += first.length
      queue = queue.slice(1)
    }
  }

  async function takeBefore(position: number, buffer: Uint8Array): Promise<number> {
    const end = Math.min(options.from, shownTo())
    const count = await options.before(position, buffer.subarray(0, end - position))
    if (count === 0) throw new Error('The bytes that had been spooled are gone.')
    return count
  }

  function take(position: number, buffer: Uint8Array): number {
    forget(position)
    const [first] = queue
    if (!first || position < queueStart) throw new Error('Bytes that pass through are read once and in order.')
    const part = first.subarray(position - queueStart, position - queueStart + buffer.length)
    buffer.set(part)
    return part.length
  }

  function wrong(what: string): UpstreamError {
    return new UpstreamError(upstream, 'wrong', 'UPSTREAM_INVALID', `${upstream} sent ${what}.`)
  }
}

/** The body without its first `count` bytes: a server that ignores Range begins at 0 again. */
export async function* skip(body: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count
  for await (const chunk of body) {
    const dropped = Math.min(left, chunk.length)
    left -= dropped
    if (dropped < chunk.length) yield chunk.subarray(dropped)
  }
}
