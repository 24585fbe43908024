/** Blob sources that behave badly, or are too large to hold in memory. */
import type { ByteSource } from '../../src/oci/byte-source.ts'

/** Fails when `position` reaches `at`. */
export function failingAt(at: number): (source: ByteSource) => ByteSource {
  return (source) => ({
    ...source,
    read: async (position, buffer) => {
      if (position >= at) throw new Error('the disk has failed')
      return source.read(position, buffer.subarray(0, at - position))
    },
  })
}

/** Says it is larger than it is. */
export function endingEarly(source: ByteSource): ByteSource {
  return { ...source, size: (source.size ?? 0) + 10 }
}

/** Claims more bytes than the buffer has. */
export function overrunning(source: ByteSource): ByteSource {
  return { ...source, read: async (_position, buffer) => buffer.length + 1 }
}

export function withoutSize(source: ByteSource): ByteSource {
  return { ...source, size: undefined }
}

/** Any number of zero bytes. */
export function zeros(size: number): (source: ByteSource) => ByteSource {
  return (source) => ({
    ...source,
    size,
    read: async (position, buffer) => Math.min(buffer.length, size - position),
  })
}

/** Holds back the byte at `at` until `release`; close ends the pending read with an error, as the contract says. */
export function gate(at: number) {
  const released = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  return {
    release: () => released.resolve(),
    reached: reached.promise,
    wrap: (source: ByteSource): ByteSource => ({
      ...source,
      read: async (position, buffer) => {
        if (position < at) return source.read(position, buffer.subarray(0, at - position))
        reached.resolve()
        await released.promise
        return source.read(position, buffer)
      },
      close: async () => {
        released.reject(new Error('closed'))
        released.promise.catch(() => {})
      },
    }),
  }
}
