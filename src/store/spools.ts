/**
 * The directory of spools: files that are still arriving, and partial ones that wait to be resumed. A file is named by the hash of
 * its key and a random part, `<64 hex>.<16 hex>`, so that a key finds its partials again, after a restart too, and two transfers of
 * one key never share a file. One process owns the directory: a spool that it does not have open is a partial.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open, opendir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { failpoint } from '../observe/failpoint.ts'
import type { DigestAlgorithm } from '../oci/digest.ts'
import { ownDirectory } from './directory.ts'
import { hasCode } from './errors.ts'
import { hashOf, sessionOf } from './session-files.ts'
import { createSpool, type Spool } from './spool.ts'

export interface Spools {
  /**
   * A new empty file. `key` names what arrives, such as upstream and digest; only its hash stands in the path. What an earlier process
   * left of the key goes: whoever begins anew has no use for it.
   */
  create(key: string, algorithm?: DigestAlgorithm): Promise<Spool>
  /**
   * The largest partial of the key: its bytes can be read at once, and are hashed again before new ones are written. Nobody
   * has verified them: discard the spool where the whole does not match. `undefined` = there is none.
   */
  resume(key: string, algorithm?: DigestAlgorithm): Promise<Spool | undefined>
  /** When the largest partial of the key was last written, ms since the epoch. `undefined` = there is none. */
  lastWrite(key: string): Promise<number | undefined>
  /**
   * Deletes the partials that were last written more than `olderThan` ms ago, empty ones, and whatever is no spool; 0 deletes every
   * partial. A spool that is to be adopted must stay open until it is. What stands beside a session file is the session's, and so is
   * never deleted here. Runs beside everything else.
   * @returns how many bytes are gone, and how many the partials that stay hold
   */
  sweep(olderThan: number): Promise<{ deleted: number; kept: number }>
}

/** `directory` is made where it is missing; its parent must exist, on the file system of the blobs. */
export async function createSpools(directory: string): Promise<Spools> {
  await ownDirectory(directory)
  /** The names that this process has open, or is about to open or delete. */
  const taken = new Set<string>()
  return {
    create: async (key, algorithm = 'sha256') => {
      const name = `${hashOf(key)}.${randomBytes(8).toString('hex')}`
      return openSpool({ directory, name, taken, algorithm, flags: constants.O_CREAT | constants.O_EXCL })
    },
    resume: async (key, algorithm = 'sha256') => {
      const { name } = (await largestPartial(directory, `${hashOf(key)}.`, taken)) ?? {}
      if (name === undefined || taken.has(name)) return undefined
      try {
        return await openSpool({ directory, name, taken, algorithm, flags: 0 })
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return undefined
        throw error
      }
    },
    lastWrite: async (key) => (await largestPartial(directory, `${hashOf(key)}.`, taken))?.writtenAt,
    sweep: (olderThan) => sweep(directory, taken, olderThan),
  }
}

interface Opening {
  directory: string
  name: string
  taken: Set<string>
  algorithm: DigestAlgorithm
  flags: number
}

async function openSpool({ directory, name, taken, algorithm, flags }: Opening): Promise<Spool> {
  taken.add(name)
  const path = join(directory, name)
  try {
    const handle = await open(path, flags | constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600)
    try {
      failpoint('spool.opened')
      const { size } = await handle.stat()
      return createSpool({ path, handle, size, algorithm, onClose: () => taken.delete(name) })
    } catch (error) {
      await handle.close()
      await rm(path, { force: true })
      throw error
    }
  } catch (error) {
    taken.delete(name)
    throw error
  }
}

interface Found {
  name: string
  size: number
  writtenAt: number
}

async function largestPartial(directory: string, prefix: string, taken: Set<string>): Promise<Found | undefined> {
  let largest: Found | undefined
  for await (const { name } of await opendir(directory)) {
    if (!name.startsWith(prefix) || !isSpoolName(name) || taken.has(name)) continue
    const found = await statOf(join(directory, name))
    if (found === undefined || !found.isFile() || found.size <= (largest?.size ?? 0)) continue
    largest = { name, size: found.size, writtenAt: found.mtimeMs }
  }
  return largest
}

async function sweep(
  directory: string,
  taken: Set<string>,
  olderThan: number,
): Promise<{ deleted: number; kept: number }> {
  const total = { deleted: 0, kept: 0 }
  const names = await readdir(directory)
  const sessions = new Set(names.map(sessionOf).filter((hash) => hash !== undefined))
  for (const name of names) {
    if (taken.has(name) || sessionOf(name) !== undefined) continue
    const path = join(directory, name)
    const found = await statOf(path)
    if (found === undefined || taken.has(name)) continue
    // A time that lies as far ahead is from a clock that was wrong: nothing says how old the file really is.
    const isPartial = found.isFile() && isSpoolName(name) && found.size > 0
    const isSessions = sessions.has(name.slice(0, name.indexOf('.')))
    const stays = isPartial && (isSessions || Math.abs(Date.now() - found.mtimeMs) < olderThan)
    if (stays) {
      total.kept += found.size
      continue
    }
    taken.add(name)
    try {
      await rm(path, { recursive: true, force: true })
      total.deleted += found.size
    } finally {
      taken.delete(name)
    }
  }
  return total
}

async function statOf(path: string) {
  try {
    return await lstat(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function isSpoolName(name: string): boolean {
  return /^[0-9a-f]{64}\.[0-9a-f]{16}$/.test(name)
}
