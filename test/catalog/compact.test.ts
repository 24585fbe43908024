import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, describe, expect, test } from 'vitest'
import { type Change, changeOperations } from '../../src/catalog/changes.ts'
import { keys } from '../../src/catalog/records.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { tagOf } from '../hosted/house.ts'
import { changeMuch, openPair, type Pair, rebuilt, recordsOf, repository, small } from './pair.ts'

afterEach(() => {
  delete process.env['ENTREPOT_TEST_FAILPOINT']
})

/** The journal has been written anew since it had this id. */
function anotherId({ journal }: Pair, id: string) {
  return expect.poll(() => journal.id, { timeout: 10_000 }).not.toBe(id)
}

describe('a journal whose history grows', () => {
  test('is written anew again and again while changes go on, and says all that the records say', async () => {
    const pair = await openPair()
    const ids = new Set<string>()
    for (let round = 0; round < 10; round += 1) {
      expect(await changeMuch(pair, `grows ${round}`, 400)).toBe(0)
      ids.add(pair.journal.id)
    }
    expect(ids.size).toBeGreaterThan(3)
    expect(pair.warnings).toEqual([])
    // 4,000 changes are 600 kB.
    expect((await stat(pair.path)).size).toBeLessThan(10 * small)
    const records = await recordsOf(pair)
    await pair.close()
    const restarted = await openPair({ directory: pair.directory })
    expect(restarted.restored).toEqual({ how: 'replayed', entries: 0, damaged: 0 })
    expect(await recordsOf(restarted)).toEqual(records)
    const again = await rebuilt(restarted)
    expect(again.restored.how).toBe('rebuilt')
    expect(await recordsOf(again)).toEqual(records)
  })

  test('never says what was taken back because the records did not take it', async () => {
    const pair = await openPair()
    const { id } = pair.journal
    let refused = 0
    for (let round = 0; round < 40; round += 1) {
      process.env['ENTREPOT_TEST_FAILPOINT'] = `level.batch-before:${1 + (round % 7)}=error:ENOSPC`
      refused += await changeMuch(pair, `refused ${round}`, 64)
    }
    delete process.env['ENTREPOT_TEST_FAILPOINT']
    expect(refused).toBeGreaterThan(20)
    await anotherId(pair, id)
    const records = await recordsOf(pair)
    expect(await recordsOf(await rebuilt(pair))).toEqual(records)
  })

  test('of which nearly all is alive is left alone until it has doubled', async () => {
    const pair = await openPair()
    const { id } = pair.journal
    const record = { digest: digestOf(Buffer.from('x')), checkedAt: 1, changedAt: 1 }
    let tags = 0
    const tagAll = async (until: () => boolean) => {
      while (!until()) {
        const change = { tag: tagOf(`v${tags}`), repository, record }
        await pair.commits.write(changeOperations(change), [change])
        tags += 1
      }
    }
    await tagAll(() => pair.journal.end > small)
    await anotherId(pair, id)
    const [second, base] = [pair.journal.id, pair.journal.end]
    await tagAll(() => pair.journal.end > 1.9 * base)
    expect(pair.journal.id).toBe(second)
    await tagAll(() => pair.journal.end > 2 * base)
    await anotherId(pair, second)
  })
})

describe('a journal that cannot be written anew', () => {
  test.each([
    'compact.begun=error:EIO',
    'journal.new-writing=error:ENOSPC',
    'journal.new-written=error:ENOSPC',
    'journal.new-synced=error:EIO',
    'compact.scanned=error:EIO',
    'compact.copied=error:EIO',
    'compact.noted=error:EIO',
    'journal.succeeded=error:EIO',
  ])('at %s goes on as it is, says so once, and is tried again', async (plan) => {
    const pair = await openPair()
    process.env['ENTREPOT_TEST_FAILPOINT'] = plan
    expect(await changeMuch(pair, plan, 400)).toBe(0)
    await expect.poll(() => pair.warnings.length, { timeout: 10_000 }).toBe(1)
    expect(pair.warnings[0]).toContain('could not be written anew')
    delete process.env['ENTREPOT_TEST_FAILPOINT']
    const { id } = pair.journal
    expect(await changeMuch(pair, `${plan} again`, 400)).toBe(0)
    await anotherId(pair, id)
    await expect.poll(() => readdir(pair.directory)).not.toContain('journal.new')
    expect(pair.warnings.length).toBe(1)
    const records = await recordsOf(pair)
    expect(await recordsOf(await rebuilt(pair))).toEqual(records)
  })

  test('is left alone for a while before it is tried again', async () => {
    const pair = await openPair({ retryAfter: 60_000 })
    process.env['ENTREPOT_TEST_FAILPOINT'] = 'compact.begun=error:ENOSPC'
    await changeMuch(pair, 'rest', 400)
    await expect.poll(() => pair.warnings.length, { timeout: 10_000 }).toBe(1)
    delete process.env['ENTREPOT_TEST_FAILPOINT']
    const { id } = pair.journal
    await changeMuch(pair, 'rest again', 400)
    await pair.close()
    expect(pair.journal.id).toBe(id)
  })

  test('because the directory does not take its name refuses what comes until it does', async () => {
    const pair = await openPair()
    process.env['ENTREPOT_TEST_FAILPOINT'] = 'journal.naming=error:EIO'
    expect(await changeMuch(pair, 'nameless', 400)).toBeGreaterThan(0)
    delete process.env['ENTREPOT_TEST_FAILPOINT']
    expect(await changeMuch(pair, 'named', 200)).toBe(0)
    const records = await recordsOf(pair)
    expect(await recordsOf(await rebuilt(pair))).toEqual(records)
  })

  test('because its position fails to reach the records is replayed from its first entry', async () => {
    const pair = await openPair()
    await changeMuch(pair, 'before', 40)
    process.env['ENTREPOT_TEST_FAILPOINT'] = 'journal.succeeded=error:EIO'
    const { id } = pair.journal
    await changeMuch(pair, 'much', 200)
    await anotherId(pair, id)
    const records = await recordsOf(pair)
    await pair.close()
    delete process.env['ENTREPOT_TEST_FAILPOINT']
    expect(await recordsOf(await openPair({ directory: pair.directory }))).toEqual(records)
  })
})

describe('records that are corrupt', () => {
  test('never become the journal: it stays as it is, and the next start makes them again', async () => {
    const pair = await openPair()
    await changeMuch(pair, 'sound', 40)
    const record = { digest: digestOf(Buffer.from('x')), checkedAt: 1, changedAt: 1 }
    const rotten: Change = { tag: tagOf('rotten'), repository, record }
    await pair.commits.write(changeOperations(rotten), [rotten])
    await pair.close()
    await rot(pair, keys.tag(repository, tagOf('rotten')))

    const doubtful = await openPair({ directory: pair.directory })
    const { id } = doubtful.journal
    await changeMuch(doubtful, 'doubtful', 400)
    await expect.poll(() => doubtful.commits.isDoubtful()).toBe(true)
    await doubtful.close()
    expect(doubtful.journal.id).toBe(id)

    const again = await openPair({ directory: pair.directory })
    expect(again.restored.how).toBe('rebuilt')
    expect((await recordsOf(again)).join()).toContain('rotten')
    await changeMuch(again, 'sound again', 400)
    await anotherId(again, id)
  })
})

/** Changes a byte of the record, past the store. */
async function rot({ directory }: Pair, key: string): Promise<void> {
  const level = new Level<string, Buffer>(join(directory, 'catalog'), { valueEncoding: 'buffer' })
  const value = Buffer.from((await level.get(key)) ?? [])
  value[value.length - 1] = 0
  await level.put(key, value)
  await level.close()
}
