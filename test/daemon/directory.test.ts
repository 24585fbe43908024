/** What happens to the data directory behind the daemon's back, and what it makes of it at the next start. */
import { chmod, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { imageManifest, imageType, noise } from '../crash/content.ts'
import { filesIn, inspectKept, spoolsIn } from '../crash/kept.ts'
import { hexOf, type Digest } from '../../src/oci/digest.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { configFor, type Entrepot, startEntrepot, temporaryFolder } from './entrepot.ts'
import { pull } from './pulling.ts'

let upstream: ScriptedRegistry
beforeEach(async () => {
  upstream = await startScriptedRegistry()
})
afterEach(() => upstream.close())

const sizes = [300_000, 200_000, 2_000_000, 3_000, 17_000]

interface House {
  data: string
  config: string
  /** Paths of kept content, and its digests. */
  content: { path: string; digest: Digest; size: number }[]
}

/** A directory in which blobs of several sizes, a small manifest and a large one were kept by a daemon that has ended. */
async function keptHouse(): Promise<House> {
  const folder = await temporaryFolder()
  const house: House = { data: join(folder, 'data'), config: await configFor(folder, upstream), content: [] }
  for (const size of sizes) {
    const digest = upstream.putBlob('app', noise(`kept ${size}`, size))
    house.content.push({ path: `blobs/${digest}`, digest, size })
  }
  for (const padding of [0, 40_000]) {
    const layers = house.content.filter(({ path }) => path.startsWith('blobs'))
    const digest = upstream.putManifest('app', `padded-${padding}`, imageManifest(layers, padding), imageType)
    house.content.push({ path: `manifests/${digest}`, digest, size: padding })
  }
  const daemon = await startEntrepot(house)
  for (const item of house.content) await expectHit(daemon, item)
  expect(await daemon.stop()).toMatchObject({ code: 0 })
  return house
}

async function get(daemon: Entrepot, { path }: { path: string }) {
  return pull(`${daemon.url}/v2/up.example/app/${path}`)
}

async function expectHit(daemon: Entrepot, item: { path: string; digest: Digest }): Promise<void> {
  await expect.poll(() => get(daemon, item)).toMatchObject({ status: 200, cache: 'hit', digest: item.digest })
}

function transfers({ digest }: { digest: Digest }): number {
  return upstream.count('GET', new RegExp(digest))
}

async function fileIn(directory: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(directory)).find((found) => pattern.test(found))
  if (name === undefined) throw new Error(`no ${pattern} in ${directory}`)
  return join(directory, name)
}

function blobFile(data: string, digest: Digest): string {
  const hex = hexOf(digest)
  return join(data, 'blobs', 'sha256', hex.slice(0, 2), hex)
}

const losses: [string, (catalog: string) => Promise<unknown>][] = [
  ['gone', (catalog) => rm(catalog, { recursive: true })],
  ['without its CURRENT', (catalog) => rm(join(catalog, 'CURRENT'))],
  ['with an empty CURRENT', (catalog) => truncate(join(catalog, 'CURRENT'), 0)],
  ['with a torn MANIFEST', async (catalog) => truncate(await fileIn(catalog, /^MANIFEST/), 20)],
]

describe.each(losses)('a catalog that is %s', (_, lose) => {
  test('is made anew; files are kept, and a HEAD of the upstream proves them without a second transfer', async () => {
    const house = await keptHouse()
    const before = await filesIn(house.data)
    const blobs = house.content.filter(({ path, size }) => path.startsWith('blobs') && size > 16 * 1024)
    await lose(join(house.data, 'catalog'))
    const daemon = await startEntrepot(house)
    await daemon.logged(/"adopted":5/)
    for (const blob of blobs) {
      const calls = upstream.calls.length
      expect(await get(daemon, blob)).toMatchObject({ status: 200, cache: 'hit', digest: blob.digest })
      expect(upstream.calls.slice(calls).map(({ method }) => method)).toEqual(['HEAD'])
      expect(transfers(blob)).toBe(1)
    }
    expect(await filesIn(house.data)).toEqual(before)
    for (const item of house.content) await expectHit(daemon, item)
    expect(await pull(`${daemon.url}/v2/up.example/other/blobs/${blobs[0]?.digest}`)).toMatchObject({ status: 404 })
    expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
    expect(await inspectKept(house.data)).toMatchObject({ damaged: [], orphans: [], spools: [] })
  })
})

test('a process that dies while it re-hashes the files of a lost catalog loses none of them', async () => {
  const house = await keptHouse()
  const before = await filesIn(house.data)
  await rm(join(house.data, 'catalog'), { recursive: true })
  const env = { ENTREPOT_TEST_FAILPOINT: 'level.batch-after:3' }
  const { signal } = await (await startEntrepot({ ...house, env })).ended
  expect(signal).toBe('SIGKILL')
  const daemon = await startEntrepot(house)
  await daemon.logged(/"msg":"reconciled/)
  expect(await filesIn(house.data)).toEqual(before)
  for (const item of house.content.slice(0, 3)) {
    await expectHit(daemon, item)
    expect(transfers(item)).toBe(1)
  }
})

test('a catalog that lost a part of its log costs no file', async () => {
  const house = await keptHouse()
  const before = await filesIn(house.data)
  const log = await fileIn(join(house.data, 'catalog'), /\.log$/)
  const bytes = await readFile(log)
  const at = Math.floor(bytes.length / 3)
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  await writeFile(log, bytes)
  const daemon = await startEntrepot(house)
  await daemon.logged(/"msg":"the catalog lost records/)
  await daemon.logged(/"msg":"reconciled/)
  expect(await filesIn(house.data)).toEqual(before)
  for (const item of house.content) await expectHit(daemon, item)
  const transferred = house.content.filter(({ size }) => size > 100_000).map(transfers)
  expect(transferred).toEqual([1, 1, 1])
})

test('a catalog with flipped bits gives no wrong answer, and heals', async () => {
  const house = await keptHouse()
  // The log of the first start becomes a table at the second one.
  await (await startEntrepot(house)).stop()
  const table = await fileIn(join(house.data, 'catalog'), /\.ldb$/)
  const bytes = await readFile(table)
  for (let at = 50; at < bytes.length - 400; at += 97) bytes[at] = (bytes[at] ?? 0) ^ 0x10
  await writeFile(table, bytes)
  const daemon = await startEntrepot(house)
  for (const item of house.content) {
    expect(await get(daemon, item)).toMatchObject({ status: 200, digest: item.digest })
    await expectHit(daemon, item)
  }
  expect((await daemon.stop()).code).toBe(0)
})

describe('a file of the blobs', () => {
  const damages: [string, (file: string) => Promise<unknown>][] = [
    ['deleted', (file) => rm(file)],
    ['truncated', async (file) => chmod(file, 0o600).then(() => truncate(file, 100_000))],
    ['emptied', async (file) => chmod(file, 0o600).then(() => truncate(file, 0))],
  ]
  test.each(damages)('that was %s by hand heals with the next pull, no restart needed', async (_, damage) => {
    const house = await keptHouse()
    const daemon = await startEntrepot(house)
    const blob = house.content[0] ?? { path: '', digest: 'sha256:' as Digest, size: 0 }
    await damage(blobFile(house.data, blob.digest))
    expect(await get(daemon, blob)).toMatchObject({ status: 200, digest: blob.digest, size: blob.size })
    await expectHit(daemon, blob)
    expect(transfers(blob)).toBe(2)
    await daemon.stop()
    expect(await inspectKept(house.data)).toMatchObject({ damaged: [], orphans: [], spools: [] })
  })

  test('that no record speaks of is swept at the next start, and one that is no digest is left alone', async () => {
    const house = await keptHouse()
    const before = await filesIn(house.data)
    const known = blobFile(house.data, before[0] ?? ('sha256:' as Digest))
    const stray = join(known, '..', `${hexOf(before[0] ?? ('sha256:' as Digest)).slice(0, 2)}${'0'.repeat(62)}`)
    await writeFile(stray, 'stray')
    const daemon = await startEntrepot(house)
    await daemon.logged(/"swept":1/)
    expect(await filesIn(house.data)).toEqual(before)
    expect(await spoolsIn(house.data)).toEqual([])
  })
})
