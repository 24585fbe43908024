import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { createSpools } from '../../src/store/spools.ts'
import { appendAll, spoolDirectory } from './spool-directory.ts'

describe('a partial', () => {
  test('is found by its key, hashed again and completed', async () => {
    const { directory, spools } = await spoolDirectory()
    const bytes = randomBytes(3_000_000)
    const first = await spools.create('upstream digest')
    await appendAll(first, bytes.subarray(0, 2_000_000), 64_000)
    await first.close()

    const restarted = await createSpools(directory)
    expect(await restarted.resume('another key')).toBeUndefined()
    const spool = await restarted.resume('upstream digest')
    if (spool === undefined) throw new Error('The partial is gone.')
    expect(spool.written).toBe(2_000_000)
    await appendAll(spool, bytes.subarray(2_000_000), 64_000)
    expect(await spool.seal()).toBe(digestOf(bytes))
    await spool.discard()
  })

  test('that is open is not given to a second one, and the largest that is free is chosen', async () => {
    const { spools } = await spoolDirectory()
    const written = [10, 30, 20].map(async (size) => {
      const spool = await spools.create('a')
      await spool.append(Buffer.alloc(size))
      return spool
    })
    const [small, large, active] = await Promise.all(written)
    await small?.close()
    await large?.close()
    const found = [await spools.resume('a'), await spools.resume('a'), await spools.resume('a')]
    expect(found.map((spool) => spool?.written)).toEqual([30, 10, undefined])
    for (const spool of [...found, active]) await spool?.close()
  })

  test('goes to one of those that ask for it at the same time', async () => {
    const { spools } = await spoolDirectory()
    const first = await spools.create('a')
    await first.append(Buffer.alloc(10))
    await first.close()
    const found = await Promise.all([spools.resume('a'), spools.resume('a'), spools.resume('a')])
    expect(found.filter((spool) => spool !== undefined)).toHaveLength(1)
    for (const spool of found) await spool?.close()
  })

  test('that became shorter while it is hashed again fails the appends', async () => {
    const { spools } = await spoolDirectory()
    const first = await spools.create('a')
    await appendAll(first, randomBytes(8_000_000), 1_000_000)
    await first.close()
    const spool = await spools.resume('a')
    await truncate(first.path, 1000)
    await expect(spool?.seal()).rejects.toThrow('shorter')
    await expect(spool?.hashAt()).rejects.toThrow('shorter')
    await spool?.discard()
  })

  test('that is a symlink is refused', async () => {
    const { directory, spools } = await spoolDirectory()
    const first = await spools.create('a')
    await first.append(Buffer.alloc(10))
    await first.close()
    await writeFile(join(directory, '..', 'secret'), 'secret')
    await symlink(join(directory, '..', 'secret'), `${first.path.slice(0, -1)}${first.path.endsWith('0') ? '1' : '0'}`)
    const spool = await spools.resume('a')
    expect(spool?.path).toBe(first.path)
    expect(await spools.resume('a')).toBeUndefined()
    await spool?.close()
  })
})

describe('a sweep', () => {
  test('deletes old partials and what is no spool, and keeps young partials and open spools', async () => {
    const { directory, spools } = await spoolDirectory()
    const [active, old, young] = [await spools.create('a'), await spools.create('b'), await spools.create('c')]
    for (const spool of [active, old, young]) await spool.append(Buffer.alloc(100))
    await old.close()
    await young.close()
    await active.grown(99)
    const yesterday = new Date(Date.now() - 25 * 3_600_000)
    await utimes(old.path, yesterday, yesterday)
    await utimes(active.path, yesterday, yesterday)
    await writeFile(join(directory, 'README'), '12345')
    await mkdir(join(directory, 'folder', 'nested'), { recursive: true })
    await symlink('/', join(directory, 'link'))

    expect(await spools.sweep(24 * 3_600_000)).toMatchObject({ kept: 100 })
    expect((await readdir(directory)).map((name) => join(directory, name)).toSorted()).toEqual(
      [active.path, young.path].toSorted(),
    )
    expect(await active.seal()).toBe(digestOf(Buffer.alloc(100)))
    await active.close()
  })

  test('of age 0 frees the room of all partials', async () => {
    const { directory, spools } = await spoolDirectory()
    for (const key of ['a', 'b', 'b']) {
      const spool = await spools.create(key)
      await spool.append(Buffer.alloc(1000))
      await spool.close()
    }
    expect(await spools.sweep(0)).toEqual({ deleted: 3000, kept: 0 })
    expect(await readdir(directory)).toEqual([])
  })

  test('of thousands of files does not hold up new spools', async () => {
    const { directory, spools } = await spoolDirectory()
    const name = createHash('sha256').update('old').digest('hex')
    for (let index = 0; index < 3000; index += 1) {
      const handle = await open(join(directory, `${name}.${index.toString(16).padStart(16, '0')}`), 'w')
      await handle.close()
    }
    let swept = false
    const sweeping = spools.sweep(0).then(() => (swept = true))
    const spool = await spools.create('new')
    await spool.append(Buffer.from('x'))
    expect(await spool.seal()).toBe(digestOf(Buffer.from('x')))
    expect(swept).toBe(false)
    await sweeping
    expect(await readdir(directory)).toHaveLength(1)
    await spool.discard()
  })
})
