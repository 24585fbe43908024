/** A disk that is full, or fails: clients get their bytes, nothing is kept that is not whole, and it goes on when the disk does. */
import { rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { imageManifest, imageType, noise } from '../crash/content.ts'
import { filesIn, inspectKept, spoolsIn } from '../crash/kept.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { configFor, type Entrepot, startEntrepot, temporaryFolder } from './entrepot.ts'
import { pull } from './pulling.ts'

let upstream: ScriptedRegistry
beforeEach(async () => {
  upstream = await startScriptedRegistry()
})
afterEach(() => upstream.close())

interface Item {
  path: string
  digest: string
}

/** A large blob, a small one, a small manifest and a large one, new in the upstream. */
function publish(seed: string): Item[] {
  const blobs = [1_500_000, 2_000].map((size) => {
    const digest = upstream.putBlob('app', noise(`${seed} ${size}`, size))
    return { path: `blobs/${digest}`, digest, size }
  })
  const manifests = [0, 40_000].map((padding) => {
    const tag = `${seed}-${padding}`
    return {
      path: `manifests/${tag}`,
      digest: upstream.putManifest('app', tag, imageManifest(blobs, padding), imageType),
    }
  })
  return [...blobs, ...manifests]
}

async function get(daemon: Entrepot, { path }: Item) {
  return pull(`${daemon.url}/v2/up.example/app/${path}`)
}

async function expectWhole(daemon: Entrepot, items: Item[]): Promise<void> {
  for (const item of items) {
    expect({ ...item, ...(await get(daemon, item)) }).toMatchObject({
      status: 200,
      digest: item.digest,
      said: item.digest,
    })
  }
  expect(await pull(`${daemon.url}/v2/up.example/app/tags/list`)).toMatchObject({ status: 200 })
}

async function expectHits(daemon: Entrepot, items: Item[]): Promise<void> {
  for (const item of items) await expect.poll(async () => (await get(daemon, item)).cache).toBe('hit')
}

/** Runs what follows with a tmpfs as its data directory, which only it sees, and which goes with it. */
function onSmallDisk(size: string, data: string, prepare = 'true'): string[] {
  const namespace = process.geteuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount']
  const mount = `mkdir -m 700 "$0" && mount -t tmpfs -o size=${size},mode=0700 tmpfs "$0"`
  return ['unshare', ...namespace, 'sh', '-c', `${mount} && ${prepare} && exec "$@"`, data]
}

describe('a disk without room', () => {
  test('costs the cache and no answer; with room again things are kept', async () => {
    const folder = await temporaryFolder()
    const data = join(folder, 'data')
    const config = await configFor(folder, upstream)
    const daemon = await startEntrepot({ data, config, wrapper: onSmallDisk('256m', data) })
    const disk = `/proc/${daemon.pid}/root${data}`
    const before = publish('before')
    await expectWhole(daemon, before)
    await expectHits(daemon, before)
    const files = await filesIn(disk)

    const { bavail, bsize } = await statfs(disk)
    await writeFile(join(disk, 'ballast'), Buffer.alloc(bavail * bsize, 1)).catch(() => {})
    const during = publish('during')
    for (let time = 0; time < 3; time += 1) await expectWhole(daemon, [...during, ...before])
    const [large] = during
    expect(await filesIn(disk)).not.toContain(large?.digest)
    expect(await spoolsIn(disk)).toEqual([])
    expect((await filesIn(disk)).filter((digest) => !files.includes(digest))).toEqual([])

    await rm(join(disk, 'ballast'))
    const after = publish('after')
    await expectWhole(daemon, [...during, ...after])
    await expectHits(daemon, [...during, ...after])
    expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
  })
})

test('a start on a full disk ends with 74 and says so', async () => {
  const folder = await temporaryFolder()
  const data = join(folder, 'data')
  const config = await configFor(folder, upstream)
  const fill = '(cat /dev/zero > "$0/ballast" || true) 2>/dev/null'
  const ending = await (await startEntrepot({ data, config, wrapper: onSmallDisk('4m', data, fill) })).ended
  expect(ending).toMatchObject({ code: 74, stdout: '' })
  expect(ending.stderr).toMatch(/^entrepot: There is no space left on the disk of .*\n$/)
})

test('a start on a full disk takes the reserve, and serves', async () => {
  const folder = await temporaryFolder()
  const data = join(folder, 'data')
  const config = await configFor(folder, upstream)
  const fill = 'head -c 16777216 /dev/zero > "$0/catalog.reserve"; (cat /dev/zero > "$0/ballast" || true) 2>/dev/null'
  const daemon = await startEntrepot({ data, config, wrapper: onSmallDisk('24m', data, fill) })
  expect(await pull(`${daemon.url}/v2/`)).toMatchObject({ status: 200 })
  expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
})

describe('a start on a read-only disk ends with 74 and says what to do', () => {
  test.each([
    ['in a directory that is there', '.'],
    ['in one that is to be made', 'a/data'],
  ])('%s', async (_, below) => {
    const folder = await temporaryFolder()
    const disk = join(folder, 'disk')
    const config = await configFor(folder, upstream)
    const wrapper = onSmallDisk('4m', disk, 'mount -o remount,ro "$0"')
    const ending = await (await startEntrepot({ data: join(disk, below), config, wrapper })).ended
    expect(ending).toMatchObject({ code: 74, stdout: '' })
    expect(ending.stderr).toMatch(/^entrepot: \S+ is on a read-only file system; .*\n$/)
  })
})

describe.each([
  ['spool.opened', 'ENOSPC'],
  ['spool.writing', 'ENOSPC'],
  ['spool.written', 'EIO'],
  ['spool.sealed', 'EIO'],
  ['files.opened', 'EIO'],
  ['files.fsynced', 'EIO'],
  ['files.renamed', 'EDQUOT'],
  ['files.directory-synced', 'EIO'],
  ['level.batch-before', 'ENOSPC'],
])('a disk that fails at %s with %s', (step, code) => {
  test('costs the cache and no answer, and leaves nothing behind', async () => {
    const folder = await temporaryFolder()
    const data = join(folder, 'data')
    const config = await configFor(folder, upstream)
    const failing = await startEntrepot({ data, config, env: { ENTREPOT_TEST_FAILPOINT: `${step}=error:${code}` } })
    const items = publish('failing')
    await expectWhole(failing, items)
    await expectWhole(failing, items)
    await expect.poll(() => spoolsIn(data)).toEqual([])
    await expect.poll(() => filesIn(data)).toEqual([])
    expect(await failing.stop()).toMatchObject({ code: 0, stderr: '' })

    const daemon = await startEntrepot({ data, config })
    await expectWhole(daemon, items)
    await expectHits(daemon, items)
    expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
    expect(await inspectKept(data)).toMatchObject({ damaged: [], orphans: [], spools: [] })
  })
})

test('a write error of the catalog costs that one record: it is opened again, and nothing acknowledged is lost', async () => {
  const folder = await temporaryFolder()
  const data = join(folder, 'data')
  const config = await configFor(folder, upstream)
  const env = { ENTREPOT_TEST_FAILPOINT: 'level.batch-before:7=error:EIO' }
  const daemon = await startEntrepot({ data, config, env })
  const items = Array.from({ length: 6 }, (_, index) => publish(`round-${index}`)).flat()
  for (const item of items) expect(await get(daemon, item)).toMatchObject({ status: 200, digest: item.digest })
  expect(daemon.stdout().match(/the catalog could not be written/g)).toHaveLength(1)
  await expectHits(daemon, items)
  daemon.signal('SIGKILL')
  await daemon.ended

  const calls = upstream.calls.length
  const again = await startEntrepot({ data, config, args: ['--offline'] })
  await expectHits(again, items)
  expect(upstream.calls).toHaveLength(calls)
  await again.stop()
  expect(await inspectKept(data)).toMatchObject({ damaged: [], orphans: [] })
})
