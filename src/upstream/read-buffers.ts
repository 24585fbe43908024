/**
 * Memory for large reads. Node reads a socket by 64 KiB into new memory each time; reads of 512 KiB into memory that is used again take
 * a third less time for a large body (docs/performance.md).
 */
import type { OnReadOpts, Socket } from 'node:net'
import { freeChunk } from '../oci/chunk.ts'

const firstBytes = 64 * 1024
const largeBytes = 512 * 1024
const mostSpares = 8

const spares: Uint8Array[] = []
/** Which part of a buffer was pushed as a chunk: whoever holds all of that part holds all that is in use. */
const pushed = new WeakMap<ArrayBufferLike, { offset: number; length: number }>()

interface LargeReads {
  /** Options for `connect` of node:net. */
  reads: { onread: OnReadOpts; highWaterMark: number }
  /** Names the socket once it is connected. */
  attach: (socket: Socket) => void
}

/** Makes the reads of one socket large as soon as its bytes come fast. */
export function createLargeReads(): LargeReads {
  let socket: Socket | undefined
  let next: Uint8Array | undefined

  /** Node asks for the buffer of the next read at the start, and after each callback. */
  function buffer(): Uint8Array {
    const taken = next ?? Buffer.allocUnsafeSlow(firstBytes)
    next = undefined
    return taken
  }
  function callback(length: number, read: Uint8Array): boolean {
    const isLarge = length >= firstBytes
    // What is small is copied, or it would hold the whole buffer for as long as it waits.
    const chunk = isLarge ? read.subarray(0, length) : Buffer.from(read.subarray(0, length))
    if (isLarge) pushed.set(read.buffer, { offset: read.byteOffset, length })
    next = isLarge ? (spares.pop() ?? Buffer.allocUnsafeSlow(largeBytes)) : read
    return socket?.push(chunk) ?? false
  }

  return {
    reads: { onread: { buffer, callback }, highWaterMark: largeBytes },
    attach: (opened) => void (socket = opened),
  }
}

/** Frees the memory of a chunk that nobody uses any more, or takes it for a next read. */
export function giveBack(chunk: Uint8Array): void {
  const { buffer, byteOffset, length } = chunk
  const part = pushed.get(buffer)
  if (part !== undefined) {
    if (part.offset !== byteOffset || part.length !== length) return
    pushed.delete(buffer)
    if (spares.length < mostSpares && buffer.byteLength === largeBytes) spares.push(Buffer.from(buffer))
    return
  }
  freeChunk(chunk)
}
