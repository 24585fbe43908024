import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { configFor, type Entrepot, startEntrepot, temporaryFolder } from '../daemon/entrepot.ts'
import { pull } from '../daemon/pulling.ts'
import { imageManifest, noise } from './content.ts'
import { inspectKept } from './kept.ts'
import { createPusher, type Pusher } from './pushing.ts'
import { createRandom, type Random } from './random.ts'

const rounds = 100
const clients = 4
/** ms of load before the catalog goes, and from then to the kill, at most. */
const longestLoad = 300
const longestAfter = 60
/** Of what was pushed in earlier rounds, so much is asked for again after each start; all of it after the last. */
const sample = 10

/** What one repository must hold, as far as its only client was answered. */
interface Shelf {
  name: string
  /** A tag's manifest; `undefined` where its delete was answered. */
  tags: Map<string, Digest | undefined>
  /** What was under way when the daemon died may be done or not. */
  doubtful?: { tag: string; wanted: Digest | undefined } | undefined
  blobs: Set<Digest>
}

/** Pushes blobs, images that move tags, and deletes tags, one after the other, until the daemon dies. */
async function load(daemon: Entrepot, shelf: Shelf, seed: string): Promise<number> {
  const pusher = createPusher(`${daemon.url}/v2/${shelf.name}`)
  const random = createRandom(seed)
  for (let turn = 0; ; turn += 1) {
    const tag = `v${random.below(8)}`
    if (random.below(5) === 0 && shelf.tags.get(tag) !== undefined) {
      shelf.doubtful = { tag, wanted: undefined }
      if ((await pusher.delete(`manifests/${tag}`)) !== 202) return turn
      shelf.tags.set(tag, undefined)
    } else if (!(await pushImage(pusher, shelf, { tag, seed: `${seed} ${turn}`, random }))) return turn
    shelf.doubtful = undefined
  }
}

async function pushImage(pusher: Pusher, shelf: Shelf, image: { tag: string; seed: string; random: Random }) {
  const layer = noise(image.seed, 1 + image.random.below(image.random.below(4) === 0 ? 200_000 : 10_000))
  const digest = digestOf(layer)
  if ((await pusher.blob(layer)) !== 201) return false
  shelf.blobs.add(digest)
  const manifest = imageManifest([{ digest, size: layer.length }], image.random.below(20_000))
  const wanted = digestOf(Buffer.from(manifest))
  shelf.doubtful = { tag: image.tag, wanted }
  if ((await pusher.manifest(image.tag, manifest)) !== 201) return false
  shelf.tags.set(image.tag, wanted)
  return true
}

/** Every tag is where its last answered push left it, or where the one after that wanted it; blobs are whole. */
async function expectHeld(daemon: Entrepot, shelf: Shelf, blobs: Digest[]): Promise<void> {
  const url = `${daemon.url}/v2/${shelf.name}`
  const { doubtful } = shelf
  for (const tag of new Set([...shelf.tags.keys(), ...(doubtful ? [doubtful.tag] : [])])) {
    const { status, digest } = await pull(`${url}/manifests/${tag}`)
    const found = status === 200 ? digest : undefined
    const expected = [shelf.tags.get(tag), ...(doubtful?.tag === tag ? [doubtful.wanted] : [])]
    expect({ tag, found, expected: expected.includes(found as Digest) }).toMatchObject({ expected: true })
    shelf.tags.set(tag, found as Digest | undefined)
  }
  shelf.doubtful = undefined
  const present = [...shelf.tags].filter(([, digest]) => digest !== undefined).map(([tag]) => tag)
  expect(await createPusher(url).tags()).toEqual(present.toSorted())
  for (const digest of blobs) {
    expect(await pull(`${url}/blobs/${digest}`)).toMatchObject({ status: 200, digest, said: digest })
  }
}

test(
  `loses its catalog ${rounds} times under load, and every tag, link and byte that was answered is back`,
  { timeout: 600_000 },
  async () => {
    const seed = process.env['ENTREPOT_TEST_SEED'] ?? randomBytes(8).toString('hex')
    console.log(`ENTREPOT_TEST_SEED=${seed}`)
    const folder = await temporaryFolder()
    const data = join(folder, 'data')
    const config = await configFor(folder, { url: 'http://127.0.0.1:9' })
    const options = { data, config, env: { NODE_COMPILE_CACHE: join(folder, 'compiled') } }
    await (await startEntrepot(options)).stop()
    const shelves = Array.from({ length: clients }, (_, index): Shelf => ({
      name: `local/app${index}`,
      tags: new Map(),
      blobs: new Set(),
    }))
    let pushes = 0

    for (let round = 0; round < rounds; round += 1) {
      const random = createRandom(`${seed} ${round}`)
      const daemon = await startEntrepot(options)
      if (round > 0) expect(daemon.stdout()).toContain('rebuilt from the journal')
      for (const shelf of shelves) await expectHeld(daemon, shelf, random.sample([...shelf.blobs], sample))
      const loading = shelves.map((shelf, index) => load(daemon, shelf, `${seed} ${round} ${index}`))
      await after(random.below(longestLoad))
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
