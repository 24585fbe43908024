/** The commands of docs/backup.md while clients push and delete, and a daemon on what was restored. */
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { imageManifest, noise } from '../crash/content.ts'
import { createPusher, type Pusher } from '../crash/pushing.ts'
import { run } from '../support/process.ts'
import { configFor, type Entrepot, startEntrepot, temporaryFolder } from './entrepot.ts'
import { pull } from './pulling.ts'

const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'backup.md'), 'utf8')
const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = '']) => commands)
const documented = '~/.local/share/entrepot'
const clients = 3
/** Images of each client before the backup begins. */
const shelved = 40

interface Image {
  tag: string
  manifest: Digest
  layer: Digest
}

/** A repository and its only client. */
interface Shelf {
  url: string
  pusher: Pusher
  seed: string
  pushed: Image[]
  /** From before the request on. */
  deleted: Set<string>
}

test.each([
  { what: 'all of it', file: 'backup.tar' },
  { what: 'what was pushed', file: 'hosted.tar' },
])('a backup of $what under load has every tag that was there before, and none without its bytes', async ({ file }) => {
  const folder = await temporaryFolder()
  const [data, restored] = [join(folder, 'data'), join(folder, 'restored')]
  const config = await configFor(folder, { url: 'http://127.0.0.1:9' })
  const daemon = await startEntrepot({ data, config })
  const shelves = shelvesOf(daemon)
  for (const shelf of shelves) for (let turn = 0; turn < shelved; turn += 1) await push(shelf, turn)
  const before = shelves.map(({ pushed }) => [...pushed])

  const load = startLoad(shelves)
  const archive = join(folder, file)
  await run('mkfifo', [archive])
  const backup = run('sh', ['-euc', blockWith(`--create --file ${file}`).replaceAll(documented, data)], { cwd: folder })
  await readSlowly(archive, `${archive}.read`, () => load.turn())
  await backup
  await load.end()
  await rename(`${archive}.read`, archive)

  const commands = blockWith('--extract').replaceAll(documented, restored).replace('backup.tar', file)
  await run('sh', ['-euc', commands], { cwd: folder })
  const again = await startEntrepot({ data: restored, config })
  expect(again.stdout()).toContain('hosted repositories were rebuilt from the journal')
  let [older, gone] = [0, 0]
  for (const [index, shelf] of shelvesOf(again).entries()) {
    const { deleted = new Set<string>(), pushed = [] } = shelves[index] ?? {}
    const listed = new Set(await shelf.pusher.tags())
    const missing = (before[index] ?? []).filter(({ tag }) => !deleted.has(tag) && !listed.has(tag))
    expect(missing).toEqual([])
    for (const image of pushed) if (listed.has(image.tag) && !deleted.has(image.tag)) await expectWhole(shelf, image)
    older += listed.size
    gone += deleted.size
    // It takes pushes as before, and what is listed without bytes can be deleted.
    await push({ ...shelf, pushed: [], seed: 'after' }, 0)
    for (const tag of listed) expect(await shelf.pusher.delete(`manifests/${tag}`)).toBe(202)
  }
  const all = shelves.reduce((sum, { pushed }) => sum + pushed.length, 0)
  console.log(`${all} images were pushed, ${gone} deleted; ${older} tags are in the backup`)
  expect(all - clients * shelved).toBeGreaterThan(clients * 10)
  expect(gone).toBeGreaterThan(clients * 5)
  expect(await again.stop()).toMatchObject({ code: 0, stderr: '' })
  expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
})

test('the directory of a daemon that has stopped works elsewhere as it is', async () => {
  const folder = await temporaryFolder()
  const [data, moved] = [join(folder, 'data'), join(folder, 'moved')]
  const config = await configFor(folder, { url: 'http://127.0.0.1:9' })
  const daemon = await startEntrepot({ data, config })
  const shelves = shelvesOf(daemon)
  for (const shelf of shelves) for (const turn of [1, 2]) await push(shelf, turn)
  await daemon.stop()
  await rename(data, moved)

  const again = await startEntrepot({ data: moved, config })
  for (const [index, shelf] of shelvesOf(again).entries()) {
    const pushed = shelves[index]?.pushed ?? []
    expect(await shelf.pusher.tags()).toEqual(pushed.map(({ tag }) => tag))
    for (const image of pushed) await expectWhole(shelf, image)
  }
  expect(again.stdout()).not.toContain('rebuilt')
})

function shelvesOf({ url }: Entrepot): Shelf[] {
  return Array.from({ length: clients }, (_, index) => {
    const repository = `${url}/v2/local/app${index}`
    return { url: repository, pusher: createPusher(repository), seed: `${index}`, pushed: [], deleted: new Set() }
  })
}

async function push({ pusher, seed, pushed }: Shelf, turn: number): Promise<void> {
  const layer = noise(`${seed} ${turn}`, 50_000 + (turn % 7) * 20_000)
  const digest = digestOf(layer)
  expect(await pusher.blob(layer)).toBe(201)
  const manifest = imageManifest([{ digest, size: layer.length }])
  const tag = `v${seed}.${turn}`
  expect(await pusher.manifest(tag, manifest)).toBe(201)
  pushed.push({ tag, manifest: digestOf(Buffer.from(manifest)), layer: digest })
}

/** The oldest and what has just come in turns, with its layer: the bytes go at once. */
async function deleteOne({ pusher, pushed, deleted }: Shelf): Promise<void> {
  const left = pushed.filter(({ tag }) => !deleted.has(tag))
  const image = left.at(deleted.size % 2 === 0 ? 0 : -1)
  if (!image) return
  deleted.add(image.tag)
  expect(await pusher.delete(`manifests/${image.manifest}`)).toBe(202)
  expect(await pusher.delete(`blobs/${image.layer}`)).toBe(202)
}

/** Each client pushes two images and deletes one, again and again. */
function startLoad(shelves: Shelf[]) {
  const over = new AbortController()
  let turned = Promise.withResolvers<void>()
  const running = shelves.map(async (shelf) => {
    for (let turn = shelved; !over.signal.aborted; turn += 1) {
      await (turn % 3 === 2 ? deleteOne(shelf) : push(shelf, turn))
      turned.resolve()
      turned = Promise.withResolvers<void>()
    }
  })
  const all = Promise.all(running)
  return {
    /** Settles when one of them has done the next thing; throws what stopped one. */
    async turn() {
      await Promise.race([turned.promise, all])
    },
    async end() {
      over.abort()
      await all
    },
  }
}

/** The archive is written only as fast as it is read, so that much happens between its first file and its last. */
async function readSlowly(from: string, to: string, turn: () => Promise<void>): Promise<void> {
  await pipeline(
    createReadStream(from, { highWaterMark: 64 * 1024 }),
    async function* paced(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        await turn()
        yield chunk
      }
    },
    createWriteStream(to),
  )
}

async function expectWhole({ url }: Shelf, { tag, manifest, layer }: Image): Promise<void> {
  expect({ tag, ...(await pull(`${url}/manifests/${tag}`)) }).toMatchObject({ status: 200, digest: manifest })
  expect({ tag, ...(await pull(`${url}/blobs/${layer}`)) }).toMatchObject({ status: 200, digest: layer })
}

/** The one block of the page that has this text. */
function blockWith(text: string): string {
  const [block, ...others] = blocks.filter((commands) => commands.includes(text))
  if (block === undefined || others.length > 0) throw new Error(`docs/backup.md has not one block with ${text}`)
  return block
}
