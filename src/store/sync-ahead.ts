/** Makes a growing file durable while it still grows, so that the fsync at its end has little left to do. */
import type { FileHandle } from 'node:fs/promises'

export interface SyncAhead {
  /** Told how many bytes are written; settles nothing, and nobody waits. */
  reached(bytes: number): void
  /** Settles when none is under way. @throws the error of one: the kernel may have dropped what it could not write, and says so once */
  settled(): Promise<void>
}

/** Bytes from one to the next; the last are left to the fsync of the commit. */
const every = 32 * 1024 * 1024

export function createSyncAhead(handle: Pick<FileHandle, 'datasync'>, from: number): SyncAhead {
  let syncedTo = from
  let running: Promise<void> | undefined
  let failure: { error: unknown } | undefined

  async function sync(bytes: number): Promise<void> {
    try {
      await handle.datasync()
      syncedTo = bytes
    } catch (error) {
      failure = { error }
    } finally {
      running = undefined
    }
  }

  return {
    reached(bytes) {
      if (bytes - syncedTo >= every && !failure) running ??= sync(bytes)
    },
    async settled() {
      await running
      if (failure) throw failure.error
    },
  }
}
