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
  /**
   * `undefined` = there is no room, also after eviction. `counted`: bytes of it that are on disk and counted already, such as a
   * partial's; they become the reservation's, and stay what they are where there is no room.
   */
  reserve(bytes: number, counted?: number): Promise<Reservation | undefined>
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
/** What must come before an eviction that freed nothing is tried again: each walks through all that is kept. */
const growth = 0.01
/** ms after which it is tried again for those who need room. */
const futileFor = 1_000
const never = { at: Number.NEGATIVE_INFINITY, used: Number.NEGATIVE_INFINITY }

/** ms, and bytes beyond those that are asked for. */
const lookEvery = 100
const plenty = 1024 ** 3

export function createRoom(options: RoomOptions): Room {
  const { maxSize } = options
  const high = Math.floor(maxSize * highWater)
  const low = Math.floor(maxSize * lowWater)
  /** Kept and reserved; of it reserved, which may not be on disk yet. */
  let used = 0
  let reserved = 0
  let relieving = false
  /** When an eviction freed nothing, and what was used then. */
  let futile = never
  /** What the disk had to give when it was asked, less what was kept since. */
  let seen = { spare: 0, at: Number.NEGATIVE_INFINITY }

  async function take(bytes: number): Promise<boolean> {
    // What is on disk already needs no more of it.
    if (bytes <= 0) return true
    if (bytes > maxSize) return false
    const missing = takeNow(bytes, await spareFor(bytes))
    if (missing === 0) return true
    if (!isFutile()) await evictAll(Math.max(missing, used - low))
    return takeNow(bytes, await spare()) === 0
  }

  /** More than is missing, or the next bytes of the same body would need an eviction of their own. */
  async function evictAll(bytes: number): Promise<void> {
    const freed = await options.evict(bytes)
    futile = freed > 0 ? never : { at: performance.now(), used }
  }

  /** An eviction walks through all that is kept: where one has freed nothing, the next waits until more has come, or a while. */
  function isFutile(): boolean {
    return performance.now() - futile.at < futileFor && used < futile.used + maxSize * growth
  }

  /** Takes the bytes, or says how many are missing. No other reservation comes between the question and the taking. */
  function takeNow(bytes: number, free: number): number {
    const missing = Math.max(used + bytes - maxSize, reserved + bytes - free, 0)
    if (missing > 0) return missing
    used += bytes
    reserved += bytes
    relieve()
    return 0
  }

  // Before there is no room left: nobody waits for it.
  function relieve(): void {
    if (used <= high || relieving || used < futile.used + maxSize * growth) return
    relieving = true
    void evictAside(used - low)
  }

  // What goes wrong is met again by the reservation that finds no room.
  async function evictAside(bytes: number): Promise<void> {
    try {
      await evictAll(bytes)
    } catch {
    } finally {
      relieving = false
    }
  }

  /** Where there is plenty, a look at the disk is believed for a while. */
  async function spareFor(bytes: number): Promise<number> {
    const isEnough = performance.now() - seen.at < lookEvery && seen.spare - reserved - bytes > plenty
    if (!isEnough) seen = { spare: await spare(), at: performance.now() }
    return seen.spare
  }

  async function spare(): Promise<number> {
    const disk = await statfs(options.folder)
    const free = disk.bavail * disk.bsize
    const total = disk.blocks * disk.bsize
    const minFree = options.minFree ?? Math.min(Math.max(total * 0.05, 2 * 1024 ** 3), total * 0.1)
    return free - minFree
  }

  function reservation(bytes: number): Reservation {
    let held = bytes
    const end = (kept: number) => {
      used += kept - held
      reserved -= held
      seen.spare -= kept
      held = 0
    }
    return {
      get bytes() {
        return held
      },
      async grow(more) {
        if (!(await take(more))) return false
        held += more
        return true
      },
      keep: end,
      release: () => end(0),
    }
  }

  return {
    async reserve(bytes, counted = 0) {
      if (!(await take(bytes - counted))) return undefined
      reserved += counted
      return reservation(bytes)
    },
    count(bytes) {
      used += bytes
      if (bytes > 0) relieve()
    },
    used: () => used,
  }
}
