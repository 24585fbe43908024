import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { digestOf, hexOf } from '../../src/oci/digest.ts'
import { createFileStore } from '../../src/store/files.ts'
import { blobStoreConformance } from './blob-store-conformance.ts'
import { makeDirectory, temporaryDirectory } from './temporary.ts'

blobStoreConformance('files', async () => {
  const data = await makeDirectory()
  let count = 0
  return {
    store: createFileStore(join(data, 'blobs')),
    spool: async (bytes) => {
      const path = join(data, `spool-${(count += 1)}`)
      await writeFile(path, bytes)
      return path
    },
    remove: () => rm(data, { recursive: true }),
  }
})

afterEach(() => {
  vi.unstubAllEnvs()
})

async function setUp() {
  const data = await temporaryDirectory()
  const bytes = randomBytes(5000)
  const digest = digestOf(bytes)
  const spool = join(data, 'spool')
  await writeFile(spool, bytes)
  const folder = join(data, 'blobs', 'sha256', hexOf(digest).slice(0, 2))
  const store = createFileStore(join(data, 'blobs'))
  return { data, store, bytes, digest, spool, folder, file: join(folder, hexOf(digest)), blob: { digest, size: 5000 } }
}

describe('files', () => {
  test('a blob is a read-only file at its digest, in directories of mode 0700', async () => {
    const { data, store, spool, file, blob, folder } = await setUp()
    await store.adopt(spool, blob)
    expect((await stat(file)).mode & 0o777).toBe(0o400)
    for (const directory of [folder, join(data, 'blobs', 'sha256'), join(data, 'blobs')]) {
      expect((await stat(directory)).mode & 0o777).toBe(0o700)
    }
  })

  test.each(['files.opened', 'files.fsynced', 'files.renamed'])(
    'an error at %s leaves neither spool nor blob',
    async (step) => {
      const { store, spool, digest, blob, folder } = await setUp()
      vi.stubEnv('ENTREPOT_TEST_FAILPOINT', `${step}=error:EIO`)
      await expect(store.adopt(spool, blob)).rejects.toMatchObject({ code: 'EIO' })
      await expect(stat(spool)).rejects.toMatchObject({ code: 'ENOENT' })
      expect(await readdir(folder)).toEqual([])
      expect(await store.open(digest)).toBeUndefined()
    },
  )

  test('a torn file at the place of a blob is replaced', async () => {
    const { store, spool, digest, blob, folder, file, bytes } = await setUp()
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(file, bytes)
    await truncate(file, 100)
    await store.adopt(spool, blob)
    const source = await store.open(digest)
    expect(source?.size).toBe(5000)
    await source?.close()
  })

  test('a symlink at the place of a blob is an error, not a blob and not an absence', async () => {
    const { data, store, digest, folder, file } = await setUp()
    await mkdir(folder, { recursive: true })
    await writeFile(join(data, 'elsewhere'), 'secret')
    await symlink(join(data, 'elsewhere'), file)
    await expect(store.open(digest)).rejects.toMatchObject({ code: 'ELOOP' })
  })

  test('a symlink in place of a directory is refused', async () => {
    const { data, store, spool, blob } = await setUp()
    await mkdir(join(data, 'elsewhere'))
    await symlink(join(data, 'elsewhere'), join(data, 'blobs'))
    await expect(store.adopt(spool, blob)).rejects.toThrow('not a directory')
    expect(await readdir(join(data, 'elsewhere'))).toEqual([])
  })

  test('a symlink as a spool is refused', async () => {
    const { data, store, spool, blob } = await setUp()
    await symlink(spool, join(data, 'link'))
    await expect(store.adopt(join(data, 'link'), blob)).rejects.toMatchObject({ code: 'ELOOP' })
    expect((await stat(spool)).size).toBe(5000)
  })

  test('a file that became shorter while it is read is an error, not an end', async () => {
    const { store, spool, digest, blob, file } = await setUp()
    await store.adopt(spool, blob)
    const source = await store.open(digest)
    await truncate(file, 100)
    await expect(source?.read(200, Buffer.alloc(10))).rejects.toThrow('shorter')
    await source?.close()
  })

  test('what is no blob is not listed', async () => {
    const { data, store, spool, digest, blob, folder } = await setUp()
    await store.adopt(spool, blob)
    const hex = hexOf(digest)
    await writeFile(join(folder, `${hex}.tmp`), '')
    await writeFile(join(folder, hex.toUpperCase().replace(/^\d*$/, 'A')), '')
    await mkdir(join(folder, `${hex.slice(0, 2)}${'0'.repeat(62)}`))
    await writeFile(join(data, 'blobs', 'sha256', 'file'), '')
    await writeFile(join(data, 'blobs', 'sha256', 'ab'), '').catch(() => {})
    await mkdir(join(data, 'blobs', 'sha256', 'xyz'))
    const wrong = hex.startsWith('00') ? '11' : '00'
    await mkdir(join(data, 'blobs', 'sha256', wrong))
    await writeFile(join(data, 'blobs', 'sha256', wrong, hex), '')
    const digests: string[] = []
    for await (const entry of store.list()) digests.push(entry.digest)
    expect(digests).toEqual([digest])
  })
})
