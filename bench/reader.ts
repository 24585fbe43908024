/**
 * A program: clients that read one URL over bare sockets, each into one reused buffer, so that the client is not what limits.
 * Takes a {@link Reading} as JSON in its argument, prints a {@link ReadingResult} as JSON.
 */
import { createHash } from 'node:crypto'
import { connect } from 'node:net'

export interface Reading {
  url: string
  clients: number
  /** What each client does: take what comes, hash it, or take only so many bytes a second, for so many seconds. */
  as: { kind: 'fast' } | { kind: 'hashing' } | { kind: 'slow'; bytesPerSecond: number; seconds: number }
}

export interface ReadingResult {
  /** From the first connect to the last byte. */
  seconds: number
  /** Of the bodies of all clients. */
  bytes: number
  /** Of each client that read hashing and to the end. */
  digests: string[]
  /** The fewest bytes that a client has read. */
  fewest: number
}

interface Taker {
  take(bytes: Uint8Array): void
  /** Whether the client wants to wait before it takes more. */
  isSated(): boolean
  /** Of all that was taken, where the client hashes. */
  digest?(): string
}

/** ms. */
const pollEvery = 50
const longestTimeout = 2 ** 31 - 1

if (import.meta.main) {
  const reading = JSON.parse(process.argv[2] ?? '') as Reading
  process.stdout.write(JSON.stringify(await read(reading)))
}

async function read({ url, clients, as }: Reading): Promise<ReadingResult> {
  const started = performance.now()
  const takers = Array.from({ length: clients }, () => createTaker(as))
  const seconds = as.kind === 'slow' ? as.seconds : undefined
  const bufferSize = clients > 1 ? 64 * 1024 : 1024 * 1024
  const counts = await Promise.all(takers.map((taker) => readBody(url, bufferSize, taker, seconds)))
  return {
    seconds: (performance.now() - started) / 1000,
    bytes: counts.reduce((sum, count) => sum + count, 0),
    digests: takers.map((taker) => taker.digest?.()).filter((digest) => digest !== undefined),
    fewest: Math.min(...counts),
  }
}

function createTaker(as: Reading['as']): Taker {
  if (as.kind === 'fast') return { take: () => {}, isSated: () => false }
  if (as.kind === 'slow') return createSlowTaker(as.bytesPerSecond)
  const hash = createHash('sha256')
  return {
    take: (bytes) => void hash.update(bytes),
    isSated: () => false,
    digest: () => `sha256:${hash.digest('hex')}`,
  }
}

function createSlowTaker(bytesPerSecond: number): Taker {
  const started = performance.now()
  let taken = 0
  return {
    take: (bytes) => void (taken += bytes.length),
    isSated: () => taken >= (bytesPerSecond * (performance.now() - started)) / 1000,
  }
}

/** Settles with the bytes of the body that were read: all of them, or those of the first `seconds`. */
async function readBody(url: string, bufferSize: number, taker: Taker, seconds?: number): Promise<number> {
  const { hostname, port, pathname } = new URL(url)
  const body = countBody(taker)
  const ended = Promise.withResolvers<void>()
  const socket = connect({
    host: hostname,
    port: Number(port),
    onread: {
      buffer: Buffer.allocUnsafe(bufferSize),
      callback(length, buffer) {
        if (body.add(Buffer.from(buffer.buffer, buffer.byteOffset, length))) ended.resolve()
        return !taker.isSated()
      },
    },
  })
  socket.on('error', ended.reject)
  socket.on('close', () => ended.reject(new Error(`${url} ended after ${body.count()} bytes`)))
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n`)
  const polling = setInterval(() => !taker.isSated() && socket.resume(), pollEvery)
  const ending = setTimeout(ended.resolve, seconds === undefined ? longestTimeout : seconds * 1000)
  try {
    await ended.promise
    return body.count()
  } finally {
    clearInterval(polling)
    clearTimeout(ending)
    socket.destroy()
  }
}

/** An answer whose body has a length: `add` says whether it has ended. */
function countBody(taker: Taker) {
  let head = ''
  let size: number | undefined
  let count = 0

  function bodyIn(part: Buffer): Buffer | undefined {
    if (size !== undefined) return part
    head += part.toString('latin1')
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    size = sizeIn(head.slice(0, end))
    return part.subarray(part.length - (head.length - end - 4))
  }

  return {
    add(part: Buffer): boolean {
      const bytes = bodyIn(part)
      if (bytes === undefined) return false
      count += bytes.length
      taker.take(bytes)
      return count === size
    },
    count: () => count,
  }
}

function sizeIn(head: string): number {
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  if (head.startsWith('HTTP/1.1 200 ') && length !== undefined) return Number(length)
  throw new Error(`no 200 with a length:\n${head}`)
}
