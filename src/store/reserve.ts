/**
 * A file that only takes up room, so that LevelDB can be opened again on a full disk (its recovery writes) and the records of what
 * is to be deleted can be deleted: without it a full disk could not be emptied.
 */
import { randomFillSync } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rm, stat, statfs, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface Reserve {
  /** Gives the room free. */
  release(): Promise<void>
  /** Takes the room again if the disk has four times as much left; else leaves it for a later call. Never throws. */
  restore(): Promise<void>
}

/** Where the reserve of a database stands. */
export function reserveOf(database: string): string {
  return `${database}.reserve`
}

/** `size` in bytes; 0 = none is kept. */
export function createReserve(path: string, size: number): Reserve {
  return {
    release: () => rm(path, { force: true }),
    restore: async () => {
      if (size === 0) return
      try {
        const found = await stat(path).catch(() => undefined)
        if (found?.size === size) return
        const disk = await statfs(dirname(path))
        if (disk.bavail * disk.bsize < 4 * size) return
        await rm(path, { force: true })
        await (await fill(path, size)).close()
      } catch {
        await rm(path, { force: true }).catch(() => {})
      }
    },
  }
}

/** Whether the disk takes `size` bytes now, made durable. @throws the system's error where it does not. */
export async function probe(path: string, size: number): Promise<void> {
  try {
    await rm(path, { force: true })
    const handle = await fill(path, size)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } finally {
    await rm(path, { force: true }).catch(() => {})
  }
}

/** Random bytes: a file system that compresses would keep no room for zeros. The caller closes the handle. */
async function fill(path: string, size: number): Promise<FileHandle> {
  const block = randomFillSync(Buffer.allocUnsafe(Math.min(size, 1024 * 1024)))
  const handle = await open(
    path,
    constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW,
    0o600,
  )
  try {
    for (let left = size; left > 0;) {
      const { bytesWritten } = await handle.write(block, 0, Math.min(left, block.length))
      left -= bytesWritten
    }
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}
