/**
 * What an upload session is, in a small file beside its spool, so that it survives a restart: `<64 hex>.session`, where the spool of
 * the same key is `<64 hex>.<16 hex>`. A line `<crc32> <text>`; a torn one is no session.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { failpoint } from '../observe/failpoint.ts'
import { hasCode } from './errors.ts'

export interface SessionFiles {
  write(key: string, text: string): Promise<void>
  delete(key: string): Promise<void>
  /** What all sessions are; a file of which `read` makes nothing goes. */
  all<T>(read: (text: string) => T | undefined): Promise<T[]>
}

/** @param directory that of the spools */
export function createSessionFiles(directory: string): SessionFiles {
  const pathOf = (key: string) => join(directory, `${hashOf(key)}${suffix}`)
  return {
    async write(key, text) {
      failpoint('session.writing')
      await writeFile(pathOf(key), `${checksum(text)} ${text}`, { mode: 0o600, flag: 'wx' })
    },
    async delete(key) {
      failpoint('session.deleting')
      await unlink(pathOf(key)).catch((error: unknown) => {
        if (!hasCode(error, 'ENOENT')) throw error
      })
      failpoint('session.deleted')
    },
    async all(read) {
      const found = []
      for (const name of await readdir(directory)) {
        if (sessionOf(name) === undefined) continue
        const path = join(directory, name)
        const content = await readFile(path, 'utf8')
        const text = content.slice(9)
        const session = content.slice(0, 8) === checksum(text) ? read(text) : undefined
        if (session === undefined) await rm(path, { force: true })
        else found.push(session)
      }
      return found
    },
  }
}

const suffix = '.session'

/** How the files of a key begin. */
export function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

/** The hash of the key whose session a file is. */
export function sessionOf(name: string): string | undefined {
  return /^([0-9a-f]{64})\.session$/.exec(name)?.[1]
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
