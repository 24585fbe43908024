import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startEntrepot } from '../daemon/entrepot.ts'
import { appendHistory } from './history.ts'
import { inspectKept } from './kept.ts'
import { createPusher } from './pushing.ts'
import { emptyShelves, expectHeld, load, type Shelf } from './shelves.ts'
import { copiesOf, type Directory } from './warm.ts'

const MiB = 1024 ** 2
const clients = 4

/** Until the new file has the name, the old one is the journal. */
const before = [
  'compact.begun',
  'compact.scanned',
  'journal.new-writing',
  'journal.new-written',
  'journal.new-synced',
  'compact.copied',
  'journal.new-writing:2',
  'journal.new-written:2',
  'journal.new-synced:2',
]
/** The records know another file still. The first append after a start passes the first of these too. */
const between = ['journal.naming:2', 'journal.succeeded']
const after = ['compact.noted']

const copyOfWarm = copiesOf(warm)

/** A daemon has ended whose journal is mostly history. */
async function warm(directory: Directory): Promise<void> {
  const daemon = await startEntrepot(directory)
  expect(await daemon.stop()).toMatchObject({ code: 0 })
  await appendHistory(join(directory.data, 'journal'), MiB)
}

/** Starts the daemon, which must have all that was answered; what it said at the start. */
async function expectAllHeld(house: Directory, shelves: Shelf[], then?: (url: string) => Promise<void>) {
  const daemon = await startEntrepot(house)
  for (const shelf of shelves) await expectHeld(daemon, shelf, [...shelf.blobs])
  await then?.(daemon.url)
  expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
  return daemon.stdout()
}

describe('killed while the journal is written anew under load', () => {
  test.each([...before, ...between, ...after])('at %s', async (step) => {
    const house = await copyOfWarm()
    const journal = join(house.data, 'journal')
    const shelves = emptyShelves(clients)
    const doomed = await startEntrepot({ ...house, env: { ENTREPOT_TEST_FAILPOINT: step } })
    await Promise.all(shelves.map((shelf) => load(doomed, shelf, step)))
    expect(await doomed.ended).toMatchObject({ signal: 'SIGKILL', stderr: '' })
    if (before.includes(step)) expect((await stat(journal)).size).toBeGreaterThan(MiB)
    else expect((await stat(journal)).size).toBeLessThan(MiB)

    const said = await expectAllHeld(house, shelves, async (url) => {
      expect(await createPusher(`${url}/v2/local/next`).blob(Buffer.from('next'))).toBe(201)
      await expect.poll(async () => (await stat(journal)).size, { timeout: 10_000 }).toBeLessThan(MiB)
    })
    expect(said.includes('rebuilt from the journal')).toBe(between.includes(step))
    expect(await readdir(house.data)).not.toContain('journal.new')
    await rm(join(house.data, 'catalog'), { recursive: true })
    expect(await expectAllHeld(house, shelves)).toContain('rebuilt from the journal')
    expect(await inspectKept(house.data)).toMatchObject({ orphans: [], damaged: [] })
  })
})

test('a disk that is full while the journal is written anew leaves the old one, and pushes go on', async () => {
  const house = await copyOfWarm()
  const journal = join(house.data, 'journal')
  const env = { ENTREPOT_TEST_FAILPOINT: 'journal.new-writing=error:ENOSPC' }
  const daemon = await startEntrepot({ ...house, env })
  const pusher = createPusher(`${daemon.url}/v2/local/app`)
  for (let turn = 0; turn < 20; turn += 1) expect(await pusher.blob(Buffer.from(`blob ${turn}`))).toBe(201)
  await expect.poll(() => daemon.stdout(), { timeout: 10_000 }).toContain('could not be written anew')
  expect(daemon.stdout().match(/could not be written anew/g)).toHaveLength(1)
  expect(await readdir(house.data)).not.toContain('journal.new')
  expect((await stat(journal)).size).toBeGreaterThan(MiB)
  expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
})
