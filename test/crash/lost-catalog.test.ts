import { randomBytes } from 'node:crypto'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { configFor, startEntrepot, temporaryFolder } from '../daemon/entrepot.ts'
import { appendHistory } from './history.ts'
import { inspectKept } from './kept.ts'
import { createRandom } from './random.ts'
import { emptyShelves, expectHeld, load } from './shelves.ts'

const MiB = 1024 ** 2
const rounds = 100
const clients = 4
/** ms of load before the catalog goes, and from then to the kill, at most. */
const longestLoad = 300
const longestAfter = 60
/** Of what was pushed in earlier rounds, so much is asked for again after each start; all of it after the last. */
const sample = 10

test(
  `loses its catalog ${rounds} times under load, and every tag, link and byte that was answered is back`,
  { timeout: 600_000 },
  async () => {
    const seed = process.env['ENTREPOT_TEST_SEED'] ?? randomBytes(8).toString('hex')
    console.log(`ENTREPOT_TEST_SEED=${seed}`)
    const folder = await temporaryFolder()
    const data = join(folder, 'data')
    const journal = join(data, 'journal')
    const config = await configFor(folder, { url: 'http://127.0.0.1:9' })
    const options = { data, config }
    await (await startEntrepot(options)).stop()
    const shelves = emptyShelves(clients)
    let pushes = 0

    for (let round = 0; round < rounds; round += 1) {
      const random = createRandom(`${seed} ${round}`)
      // The first push of every fifth round finds a journal with much history; every tenth waits until that has gone.
      if (round % 5 === 1) await appendHistory(journal, MiB)
      const { ino } = await stat(journal)
      const daemon = await startEntrepot(options)
      if (round > 0) expect(daemon.stdout()).toContain('rebuilt from the journal')
      for (const shelf of shelves) await expectHeld(daemon, shelf, random.sample([...shelf.blobs], sample))
      const loading = shelves.map((shelf, index) => load(daemon, shelf, `${seed} ${round} ${index}`))
      if (round % 10 === 1) await expect.poll(async () => (await stat(journal)).ino, { timeout: 30_000 }).not.toBe(ino)
      else await after(random.below(longestLoad))
      await rm(join(data, 'catalog'), { recursive: true })
      await after(random.below(longestAfter))
      daemon.signal('SIGKILL')
      expect(await daemon.ended).toMatchObject({ signal: 'SIGKILL', stderr: '' })
      pushes += (await Promise.all(loading)).reduce((sum, turns) => sum + turns, 0)
    }

    const last = await startEntrepot(options)
    for (const shelf of shelves) await expectHeld(last, shelf, [...shelf.blobs])
    expect(await last.stop()).toMatchObject({ code: 0, stderr: '' })
    expect((await inspectKept(data)).damaged).toEqual([])
    console.log(`${pushes} pushes and deletes were answered`)
    expect(pushes).toBeGreaterThan(rounds)
  },
)
