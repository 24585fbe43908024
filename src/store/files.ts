/** BlobStore over files: `<directory>/<algorithm>/<first 2 hex>/<hex>`, each written once, 0400, named by its digest alone. */
import { constants } from 'node:fs'
import { lstat, open, opendir, rename, rm, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { failpoint } from '../observe/failpoint.ts'
import type { ByteSource } from '../oci/byte-source.ts'
import { algorithmOf, hexOf, parseDigest, type Digest } from '../oci/digest.ts'
import type { BlobStore } from './blob-store.ts'
import { ownDirectory, syncDirectory } from './directory.ts'
import { hasCode } from './errors.ts'

/** `directory` is made with the first file; its parent must exist, on the file system of the spools. */
export function createFileStore(directory: string): BlobStore {
  const directories = createDirectories(directory)

  async function place(spool: string, path: string): Promise<void> {
    try {
      await moveInto(spool, path)
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
      // Somebody has deleted a directory that was there before.
      directories.forget()
      await directories.make(dirname(path))
      await moveInto(spool, path)
    }
  }

  return {
    open: (digest) => openFile(pathOf(directory, digest)),
    adopt: async (spool, blob) => {
      const path = pathOf(directory, blob.digest)
      try {
        await directories.make(dirname(path))
        await sealSpool(spool, blob.size)
        await place(spool, path)
      } catch (error) {
        await rm(spool, { force: true }).catch(() => {})
        throw error
      }
    },
    delete: async (digest) => {
      await unlink(pathOf(directory, digest)).catch(ignoreAbsence)
    },
    setAside: async (digest) => {
      const aside = join(directory, 'damaged')
      await directories.make(aside)
      const path = join(aside, `${algorithmOf(digest)}-${hexOf(digest)}.${Date.now()}`)
      await rename(pathOf(directory, digest), path).catch(ignoreAbsence)
    },
    list: () => listFiles(directory),
  }
}

function pathOf(directory: string, digest: Digest): string {
  const hex = hexOf(digest)
  return join(directory, algorithmOf(digest), hex.slice(0, 2), hex)
}

async function openFile(path: string): Promise<ByteSource | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    return ignoreAbsence(error)
  }
  try {
    const found = await handle.stat()
    if (!found.isFile()) throw new Error(`${path} is not a regular file.`)
    return sourceOf(handle, found.size)
  } catch (error) {
    await handle.close()
    throw error
  }
}

function sourceOf(handle: FileHandle, size: number): ByteSource {
  let closing: Promise<void> | undefined
  return {
    size,
    read: async (position, buffer) => {
      if (closing !== undefined) throw new Error('The file is closed.')
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position)
      if (closing !== undefined) throw new Error('The file was closed while it was read.')
      if (bytesRead === 0 && position < size && buffer.length > 0) throw new Error('The file has become shorter.')
      return bytesRead
    },
    close: () => (closing ??= handle.close()),
  }
}

/**
 * Makes the content durable and read-only. A failed fsync is final: the kernel may have dropped the pages and would report
 * success the next time.
 */
async function sealSpool(spool: string, size: number): Promise<void> {
  const handle = await open(spool, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const found = await handle.stat()
    if (!found.isFile() || found.size !== size) {
      throw new Error(`The spool ${spool} has ${found.size} bytes where its descriptor says ${size}.`)
    }
    failpoint('files.opened')
    await handle.sync()
    failpoint('files.fsynced')
    await handle.chmod(0o400)
  } finally {
    await handle.close()
  }
}

async function moveInto(spool: string, path: string): Promise<void> {
  await rename(spool, path)
  try {
    failpoint('files.renamed')
    await syncDirectory(dirname(path))
    failpoint('files.directory-synced')
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
}

/** Makes the directories down to the one given, each checked once until it is forgotten. */
function createDirectories(root: string): { make(directory: string): Promise<void>; forget(): void } {
  const known = new Map<string, Promise<unknown>>()
  const once = (path: string) => {
    const running = known.get(path) ?? ownDirectory(path)
    known.set(path, running)
    return running.catch((error: unknown) => {
      known.delete(path)
      throw error
    })
  }
  return {
    async make(directory) {
      await once(root)
      await once(dirname(directory))
      await once(directory)
    },
    forget: () => known.clear(),
  }
}

async function* listFiles(directory: string): AsyncIterable<{ digest: Digest; size: number; modifiedAt: number }> {
  for (const algorithm of ['sha256', 'sha512']) {
    for await (const prefix of namesIn(join(directory, algorithm))) {
      if (!/^[0-9a-f]{2}$/.test(prefix)) continue
      for await (const hex of namesIn(join(directory, algorithm, prefix))) {
        const digest = hex.startsWith(prefix) ? parseDigest(`${algorithm}:${hex}`) : undefined
        if (digest === undefined) continue
        const found = await lstat(join(directory, algorithm, prefix, hex)).catch(ignoreAbsence)
        if (found?.isFile()) yield { digest, size: found.size, modifiedAt: found.mtimeMs }
      }
    }
  }
}

async function* namesIn(directory: string): AsyncIterable<string> {
  const entries = await opendir(directory).catch((error: unknown) => {
    if (hasCode(error, 'ENOTDIR')) return undefined
    return ignoreAbsence(error)
  })
  if (entries === undefined) return
  for await (const entry of entries) yield entry.name
}

function ignoreAbsence(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error
}
