/** How large the buffers of a stream are: they follow the number of streams, or many slow readers would hold much memory. */

// What one stream needs to keep up with sendfile: 256 KiB reach 0.9x of it, 1 MiB 1.2x (docs/performance.md).
const largest = 1024 * 1024
const smallest = 64 * 1024

/** Two buffers that a stream uses in turns. */
export type BufferPair = (turn: number) => Buffer

export interface BufferBudget {
  /** @param needed bytes of the whole stream, where known: no buffer is larger */
  enter(needed?: number): { buffer: BufferPair; leave: () => void }
}

/** @param total bytes that the buffers of all streams should stay under, as long as each is at least 64 KiB */
export function createBufferBudget(total = 32 * 1024 * 1024): BufferBudget {
  let streams = 0

  /** A power of two, so that a stream seldom has to change its buffers. */
  function sizeNow(): number {
    const share = Math.floor(total / (2 * streams))
    return Math.min(largest, Math.max(smallest, 2 ** Math.floor(Math.log2(Math.max(1, share)))))
  }

  return {
    enter(needed = Number.POSITIVE_INFINITY) {
      streams += 1
      let left = false
      const pair: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)]
      return {
        buffer(turn) {
          const which = turn % 2 === 0 ? 0 : 1
          const size = Math.max(1, Math.min(sizeNow(), needed))
          if (pair[which].length !== size) pair[which] = Buffer.allocUnsafeSlow(size)
          return pair[which]
        },
        leave() {
          if (!left) streams -= 1
          left = true
        },
      }
    },
  }
}
