import { randomBytes } from 'node:crypto'
import { cp, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openLevel } from '../../src/store/level.ts'
import { database, fileIn, keyOf, keysOf, records, valueOf } from './level-database.ts'

describe('damaged bytes', () => {
  test('a bit that flips anywhere in a table never brings back a wrong value', async () => {
    const directory = await database()
    const name = (await fileIn(directory, '.ldb')).slice(directory.length + 1)
    expect(await damagedReads(directory, name)).toBeGreaterThan(10)
  })

  test('a bit that flips anywhere in the log never brings back a wrong value', async () => {
    const directory = await database({ inLog: true })
    const name = (await fileIn(directory, '.log')).slice(directory.length + 1)
    const sizes = await Promise.all(
      (await readdir(directory)).map(async (each) => (await readFile(join(directory, each))).length),
    )
    expect(Math.max(...sizes)).toBe((await readFile(join(directory, name))).length)
    await damagedReads(directory, name)
  })

  test('records that LevelDB drops from its log are told, and a torn end of the log is not', async () => {
    const directory = await database({ inLog: true })
    const log = await fileIn(directory, '.log')
    const bytes = await readFile(log)
    await truncate(log, bytes.length - 10)
    const torn = await openLevel(directory, { reserve: 0 })
    expect(torn).toMatchObject({ state: 'opened', dropped: 0 })
    expect(await keysOf(torn.store)).toHaveLength(records - 1)
    await torn.store.close()

    const other = await database({ inLog: true })
    bytes[5000] = (bytes[5000] ?? 0) ^ 1
    await writeFile(await fileIn(other, '.log'), bytes)
    const damaged = await openLevel(other, { reserve: 0 })
    expect(damaged).toMatchObject({ state: 'opened', dropped: expect.any(Number) })
    expect(damaged.dropped).toBeGreaterThan(0)
    expect((await keysOf(damaged.store)).length).toBeLessThan(records - 1)
    await damaged.store.close()
  })

  test('a table that cannot be decoded loses its own records only, and scans go on', async () => {
    const directory = await database()
    const table = await fileIn(directory, '.ldb')
    const bytes = await readFile(table)
    bytes.fill(0xff, 0, 200)
    await writeFile(table, bytes)
    const corrupt: string[] = []
    const { store } = await openLevel(directory, { reserve: 0, onCorrupt: (key) => corrupt.push(key) })
    const keys = await keysOf(store)
    expect(keys.length).toBeGreaterThan(10)
    expect(keys.length).toBeLessThan(records)
    expect(corrupt.length).toBeGreaterThan(0)
    for (const key of keys) expect(await store.get(key)).toBeDefined()
    expect(await store.get(keyOf(0))).toBeUndefined()
    await store.close()
  })

  test('a value that stands under another key is skipped', async () => {
    const directory = await database()
    const table = await fileIn(directory, '.ldb')
    const bytes = await readFile(table)
    const at = bytes.indexOf(keyOf(0))
    bytes.write('K', at)
    await writeFile(table, bytes)
    const corrupt: string[] = []
    const { store } = await openLevel(directory, { reserve: 0, onCorrupt: (key) => corrupt.push(key) })
    const renamed = `K${keyOf(0).slice(1)}`
    expect(await keysOf(store)).not.toContain(renamed)
    expect(corrupt).toContain(renamed)
    await store.close()
  })

  test('a table that no compaction can read fails the writes and has the database set aside at the next start', async () => {
    const directory = await database()
    const table = await fileIn(directory, '.ldb')
    const bytes = await readFile(table)
    bytes.fill(0xff, 0, 200)
    await writeFile(table, bytes)
    const errors: unknown[] = []
    const options = { reserve: 0, retryAfter: 0, onWriteError: (error: unknown) => errors.push(error) }
    const { store } = await openLevel(directory, options)
    for (let round = 0; round < 40 && errors.length === 0; round += 1) {
      const operations = [0, 75, 149].map((index) => ({ put: keyOf(index), value: randomBytes(1_000_000) }))
      await store.batch(operations).catch(() => {})
    }
    expect(errors[0]).toMatchObject({ code: 'LEVEL_CORRUPTION' })
    await store.close()
    const states: string[] = []
    for (let start = 0; start < 2; start += 1) {
      const again = await openLevel(directory, { reserve: 0 })
      states.push(again.state)
      await again.store.close()
    }
    expect(states).toEqual(['set-aside', 'opened'])
  })
})

/** Flips one bit at each of 40 places of a file; every read must then give the right value or none. Counts the corrupt ones. */
async function damagedReads(directory: string, name: string): Promise<number> {
  const bytes = await readFile(join(directory, name))
  let corrupt = 0
  for (let round = 0; round < 40; round += 1) {
    const copy = `${directory}-${round}`
    await cp(directory, copy, { recursive: true })
    const damaged = Buffer.from(bytes)
    const at = Math.floor((round / 40) * bytes.length)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (round % 8))
    await writeFile(join(copy, name), damaged)
    const { store } = await openLevel(copy, { reserve: 0, onCorrupt: () => (corrupt += 1) })
    for (let index = 0; index < records; index += 1) {
      const value = (await store.get(keyOf(index))) ?? valueOf(keyOf(index))
      expect(String(value)).toBe(String(valueOf(keyOf(index))))
    }
    for await (const [key, value] of store.scan('')) expect(String(value)).toBe(String(valueOf(key)))
    await store.close()
  }
  return corrupt
}
