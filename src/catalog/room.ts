/**
 * Room on disk: nothing is written before its bytes are reserved, so that `maxSize` and the free space that the machine needs
 * hold at every moment, spools included.
 */
import { statfs } from 'node:fs/promises'

export interface Reservation {
  readonly bytes: number
  /** Asks for more, for a body whose size nobody said. False: there is none, and what is held stays held. */
  grow(bytes: number): Promise<boolean>
  /** Ends the reservation: `bytes` of it are content from here on. A release afterwards does nothing. */
  keep(bytes: number): void
  release(): void
}

export interface Room {
  /** `undefined` = there is no room, also after eviction. */
  reserve(bytes: number): Promise<Reservation | undefined>
  /** Content that is there already, or has gone. */
  count(bytes: number): void
  /** Bytes kept and reserved. */
  used(): number
}

export interface RoomOptions {
  maxSize: number
  /** A folder on the file system that holds the blobs. */
  folder: string
  /** Frees at least so many bytes if it can, and settles with what it freed. */
  evict: (bytes: number) => Promise<number>
  /** Free bytes that the file system must keep; default the larger of 5 % and 2 GiB, but never more than a tenth of what is there. */
  minFree?: number
}

/** Parts of maxSize: above the first, eviction starts, and goes down to the second. */
const highWater = 0.95
const lowWater = 0.85

export function createRoom(options: RoomOptions): Room {
  const high = Math.floor(options.maxSize * highWater)
  const low = Math.floor(options.maxSize * lowWater)
  let used = 0
  let relieving = false

  async function take(bytes: number): Promise<boolean> {
    if (bytes > options.maxSize) return false
    const missing = await shortfall(bytes)
    if (missing > 0) {
      await options.evict(missing)
      if ((await shortfall(bytes)) > 0) return false
    }
    used += bytes
    relieve()
    return true
  }

  // Before there is no room left: nobody waits for it.
  function relieve(): void {
    if (used <= high || relieving) return
    relieving = true
    const done = () => (relieving = false)
    options.evict(used - low).then(done, done)
  }

  async function shortfall(bytes: number): Promise<number> {
    const overSize = used + bytes - options.maxSize
    const underFree = bytes - (await spare())
    return Math.max(overSize, underFree, 0)
  }

  async function spare(): Promise<number> {
    const disk = await statfs(options.folder)
    const free = disk.bavail * disk.bsize
    const total = disk.blocks * disk.bsize
    const minFree = options.minFree ?? Math.min(Math.max(total * 0.05, 2 * 1024 ** 3), total * 0.1)
    return free - minFree
  }

  return {
    async reserve(bytes) {
      if (!(await take(bytes))) return undefined
      let held = bytes
      return {
        get bytes() {
          return held
        },
        async grow(more) {
          if (!(await take(more))) return false
          held += more
          return true
        },
        keep(kept) {
          used += kept - held
          held = 0
        },
        release() {
          used -= held
          held = 0
        },
      }
    },
    count(bytes) {
      used += bytes
    },
    used: () => used,
  }
}
