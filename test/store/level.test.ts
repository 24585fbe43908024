import { readdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { StoreLockedError, StoreUnavailableError } from '../../src/store/errors.ts'
import { openLevel } from '../../src/store/level.ts'
import { keyValueConformance } from './key-value-conformance.ts'
import { database, fileIn, keysOf } from './level-database.ts'
import { makeDirectory, temporaryDirectory } from './temporary.ts'

keyValueConformance('level', async () => {
  const parent = await makeDirectory()
  const directory = join(parent, 'catalog')
  const open = async () => (await openLevel(directory, { reserve: 0 })).store
  return { store: await open(), reopen: open, remove: () => rm(parent, { recursive: true }) }
})

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('opening', () => {
  test('tells a new database from one that was there', async () => {
    const directory = join(await temporaryDirectory(), 'catalog')
    const first = await openLevel(directory, { reserve: 0 })
    await first.store.close()
    const second = await openLevel(directory, { reserve: 0 })
    await second.store.close()
    expect([first.state, second.state]).toEqual(['created', 'opened'])
  })

  test('a directory left by a process that died while it was creating the database is used', async () => {
    const directory = await database()
    for (const name of await readdir(directory)) if (!/^(?:MANIFEST|LOCK)/.test(name)) await rm(join(directory, name))
    const { store, state } = await openLevel(directory, { reserve: 0 })
    await store.close()
    expect(state).toBe('created')
  })

  test('a second handle is refused while the first is open', async () => {
    const directory = join(await temporaryDirectory(), 'catalog')
    const { store } = await openLevel(directory, { reserve: 0 })
    await expect(openLevel(directory, { reserve: 0 })).rejects.toBeInstanceOf(StoreLockedError)
    await store.close()
  })

  test('a symlink is refused, whatever it points to', async () => {
    const parent = await temporaryDirectory()
    await symlink(await database(), join(parent, 'catalog'))
    await expect(openLevel(join(parent, 'catalog'))).rejects.toThrow('symlink')
  })

  const damages: [string, (directory: string) => Promise<unknown>][] = [
    ['CURRENT is missing', (directory) => rm(join(directory, 'CURRENT'))],
    ['CURRENT is empty', (directory) => truncate(join(directory, 'CURRENT'), 0)],
    ['the manifest is torn', async (directory) => truncate(await fileIn(directory, 'MANIFEST'), 10)],
    ['the manifest is missing', async (directory) => rm(await fileIn(directory, 'MANIFEST'))],
    ['a table is missing', async (directory) => rm(await fileIn(directory, '.ldb'))],
    [
      'it is no directory',
      async (directory) => {
        await rename(directory, `${directory}.away`)
        await writeFile(directory, 'not a directory')
      },
    ],
  ]
  test.each(damages)('is set aside as it is, and replaced by an empty one, where %s', async (_, damage) => {
    const directory = await database()
    await damage(directory)
    const { store, state } = await openLevel(directory, { reserve: 0 })
    expect(state).toBe('set-aside')
    expect(await keysOf(store)).toEqual([])
    await store.batch([{ put: 'new', value: Buffer.from('1') }])
    await store.close()
    const names = await readdir(join(directory, '..'))
    expect(names.filter((name) => /^catalog\.bad-\d{8}T\d{9}Z$/.test(name))).toHaveLength(1)

    const again = await openLevel(directory, { reserve: 0 })
    expect(again.state).toBe('opened')
    expect(await keysOf(again.store)).toEqual(['new'])
    await again.store.close()
  })
})

describe('a write error', () => {
  test('rejects that batch, reopens the database, and the batches that wait go on', async () => {
    const directory = join(await temporaryDirectory(), 'catalog')
    const errors: unknown[] = []
    const { store } = await openLevel(directory, { reserve: 0, onWriteError: (error) => errors.push(error) })
    await store.batch([{ put: 'a', value: Buffer.from('before') }])
    vi.stubEnv('ENTREPOT_TEST_FAILPOINT', 'level.batch-before:1=error:EIO')
    const failed = store.batch([{ put: 'a', value: Buffer.from('lost') }])
    const waiting = store.batch([{ put: 'b', value: Buffer.from('after') }])
    await expect(failed).rejects.toMatchObject({ code: 'EIO' })
    await waiting
    expect(errors).toHaveLength(1)
    expect(String(await store.get('a'))).toBe('before')
    expect(String(await store.get('b'))).toBe('after')
    await store.close()
    const again = await openLevel(directory, { reserve: 0 })
    expect(String(await again.store.get('a'))).toBe('before')
    expect(await keysOf(again.store)).toEqual(['a', 'b'])
    await again.store.close()
  })

  test('while the disk takes nothing, reads go on, batches fail, and the first one after it takes bytes again succeeds', async () => {
    const directory = join(await temporaryDirectory(), 'catalog')
    const { store } = await openLevel(directory, { reserve: 0, retryAfter: 0 })
    await store.batch([{ put: 'a', value: Buffer.from('1') }])
    vi.stubEnv('ENTREPOT_TEST_FAILPOINT', 'level.batch-before:1=error:ENOSPC,level.probe=error:ENOSPC')
    await expect(store.batch([{ put: 'b', value: Buffer.from('1') }])).rejects.toMatchObject({ code: 'ENOSPC' })
    await expect(store.batch([{ put: 'c', value: Buffer.from('1') }])).rejects.toBeInstanceOf(StoreUnavailableError)
    expect(await keysOf(store)).toEqual(['a'])
    vi.stubEnv('ENTREPOT_TEST_FAILPOINT', '')
    await store.batch([{ put: 'd', value: Buffer.from('1') }])
    expect(await keysOf(store)).toEqual(['a', 'd'])
    await store.close()
  })

  test('a wrong key is refused without harm to the batches beside it', async () => {
    const directory = join(await temporaryDirectory(), 'catalog')
    const { store } = await openLevel(directory, { reserve: 0 })
    const good = store.batch([{ put: 'a', value: Buffer.from('1') }])
    await expect(store.batch([{ put: '', value: Buffer.from('1') }])).rejects.toBeInstanceOf(TypeError)
    await good
    expect(await keysOf(store)).toEqual(['a'])
    await store.close()
  })
})
