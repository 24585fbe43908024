/**
 * Upstream's bytes into a spool. A broken transfer goes on by Range from the bytes already spooled; what upstream sends is not
 * believed before the digest matches.
 */
import type { Digest } from '../oci/digest.ts'
import { UpstreamError } from '../oci/errors.ts'
import type { Spool } from '../store/spool.ts'
import type { Transfer } from '../upstream/upstream.ts'
import { skip } from './passthrough.ts'
import type { Progress } from './progress.ts'

export interface ReceiveOptions {
  upstream: string
  digest: Digest
  transfer: Transfer
  spool: Spool
  progress: Progress
  /** The blob's bytes from an offset, on a new connection. */
  fetch: (from: number) => Promise<Transfer | undefined>
  /** Makes sure that so many bytes may stand in the spool; false where there is no room. */
  allow: (bytes: number) => Promise<boolean>
  signal: AbortSignal
}

/** The spool cannot take more: `maxSize` would be passed, or the disk is full or fails. */
export class NoRoomError extends Error {}

/** Attempts in a row that brought no byte before a broken transfer is given up. */
const fruitlessAttempts = 4

/**
 * Settles when all is written and size and digest match.
 * @throws NoRoomError; UpstreamError `wrong` on a mismatch, `unreachable` when the transfer broke for good
 */
export async function receive(options: ReceiveOptions): Promise<void> {
  const { spool, progress, signal } = options
  let transfer = options.transfer
  let received = spool.written
  let fruitless = 0
  for (;;) {
    const { taken, broken } = await drain(options, transfer, received)
    received += taken
    if (!broken && (progress.size === undefined || received === progress.size)) return verify(options)
    signal.throwIfAborted()
    fruitless = taken > 0 ? 0 : fruitless + 1
    if (fruitless >= fruitlessAttempts) throw gaveUp(options, broken?.error)
    transfer = await resume(options, received)
  }
}

/** Spools what comes until it ends or breaks. */
async function drain(
  options: ReceiveOptions,
  transfer: Transfer,
  received: number,
): Promise<{ taken: number; broken?: { error: unknown } }> {
  const { signal } = options
  const stop = () => transfer.abort()
  signal.addEventListener('abort', stop, { once: true })
  let taken = 0
  try {
    signal.throwIfAborted()
    for await (const chunk of skip(transfer.body, received - transfer.from)) {
      taken += chunk.length
      await write(options, chunk, received + taken)
      signal.throwIfAborted()
    }
    return { taken }
  } catch (error) {
    if (signal.aborted || error instanceof NoRoomError || isWrong(error)) throw error
    return { taken, broken: { error } }
  } finally {
    signal.removeEventListener('abort', stop)
    transfer.abort()
  }
}

async function write(options: ReceiveOptions, chunk: Uint8Array, end: number): Promise<void> {
  const { size } = options.progress
  if (size !== undefined && end > size) throw wrong(options, `more than the ${size} bytes it announced`)
  if (!(await toRoom(options.allow(end)))) throw new NoRoomError('There is no room for more of the blob.')
  await toRoom(options.spool.append(chunk))
}

async function resume(options: ReceiveOptions, from: number): Promise<Transfer> {
  const { progress } = options
  const transfer = await options.fetch(from)
  if (!transfer) throw wrong(options, '404 for a blob that it had begun to send')
  if (transfer.size === undefined || progress.size === undefined || transfer.size === progress.size) return transfer
  transfer.abort()
  throw wrong(options, `a blob of ${transfer.size} bytes that had ${progress.size} before`)
}

async function verify(options: ReceiveOptions): Promise<void> {
  const actual = await toRoom(options.spool.seal())
  if (actual !== options.digest) throw wrong(options, `bytes whose digest is ${actual}, not ${options.digest}`)
}

/** Whatever keeps bytes from the disk is a lack of room: clients still get them. */
async function toRoom<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new NoRoomError('The spool cannot be written.', { cause })
  }
}

export function isWrong(error: unknown): boolean {
  return error instanceof UpstreamError && error.trouble === 'wrong'
}

function wrong({ upstream }: ReceiveOptions, what: string): UpstreamError {
  return new UpstreamError(upstream, 'wrong', 'UPSTREAM_INVALID', `${upstream} sent ${what}.`)
}

function gaveUp({ upstream }: ReceiveOptions, cause: unknown): UpstreamError {
  const detail = `${upstream} broke the transfer off again and again.`
  return new UpstreamError(upstream, 'unreachable', 'UPSTREAM_INVALID', detail, { cause })
}
