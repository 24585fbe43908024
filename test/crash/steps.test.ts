import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Digest } from '../../src/oci/digest.ts'
import { configFor, type Entrepot, startEntrepot, temporaryFolder } from '../daemon/entrepot.ts'
import { pull } from '../daemon/pulling.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { imageManifest, imageType, noise } from './content.ts'
import { filesIn, inspectKept, spoolsIn } from './kept.ts'

let upstream: ScriptedRegistry
beforeAll(async () => {
  upstream = await startScriptedRegistry()
})
afterAll(() => upstream.close())

const spoolSteps = ['spool.opened', 'spool.writing', 'spool.written', 'spool.sealed']
const fileSteps = ['files.opened', 'files.fsynced', 'files.renamed', 'files.directory-synced']
const recordSteps = ['content.placed', 'level.batch-before', 'level.batch-after']

/** What is asked for: its path below the repository, its digest, and whether its bytes are a file. */
interface Asked {
  path: string
  digest: Digest
  file: boolean
}

/** Each adds what it asks for to the upstream; one that is warm was kept before, and answered as a hit. */
const subjects: Record<string, { steps: string[]; ask: (name: string) => Asked }> = {
  'a blob in a file': {
    steps: [...spoolSteps, ...fileSteps, ...recordSteps],
    ask: (name) => blob(name, 300_000),
  },
  'a blob in the catalog': {
    steps: [...spoolSteps, ...recordSteps],
    ask: (name) => blob(name, 2_000),
  },
  'a manifest in the catalog': {
    steps: recordSteps,
    ask: (name) => manifest(name, 'small', 1_000),
  },
  'a manifest in a file': {
    steps: [...spoolSteps, ...fileSteps, ...recordSteps],
    ask: (name) => manifest(name, 'large', 40_000),
  },
  'a tag that has moved': {
    steps: recordSteps,
    ask: (name) => manifest(name, 'moving', 2_000),
  },
  'a tag that has not moved': {
    steps: ['level.batch-before', 'level.batch-after'],
    ask: (name) => manifest(name, 'moving', 0),
  },
}

function blob(name: string, size: number): Asked {
  const digest = upstream.putBlob(name, noise(`${name} ${size}`, size))
  return { path: `blobs/${digest}`, digest, file: size > 16 * 1024 }
}

function manifest(name: string, tag: string, padding: number): Asked {
  const digest = upstream.putManifest(name, tag, imageManifest([], padding), imageType)
  return { path: `manifests/${tag}`, digest, file: padding > 16 * 1024 }
}

/** A data directory whose content was answered as a hit; copied for each test. */
async function warmDirectory(name: string, folder: string, config: string): Promise<Asked[]> {
  const warm = [blob(name, 200_000), blob(name, 3_000), manifest(name, 'moving', 0)]
  const daemon = await startEntrepot({ data: join(folder, 'data'), config })
  for (const { path } of warm) {
    await expect.poll(async () => (await pull(`${daemon.url}/v2/up.example/${name}/${path}`)).cache).toBe('hit')
  }
  await expectHits(daemon, name, warm)
  await daemon.stop()
  return warm
}

async function expectHits(daemon: Entrepot, name: string, kept: Asked[]): Promise<void> {
  const calls = upstream.calls.length
  for (const { path, digest } of kept) {
    const byDigest = path.replace(/^manifests\/.*/, `manifests/${digest}`)
    const pulled = await pull(`${daemon.url}/v2/up.example/${name}/${byDigest}`)
    expect(pulled).toMatchObject({ status: 200, cache: 'hit', digest, said: digest })
  }
  expect(upstream.calls.length).toBe(calls)
}

interface Warm {
  folder: string
  config: string
  kept: Asked[]
}

describe.each(Object.entries(subjects))('killed while it keeps %s', (subject, { steps, ask }) => {
  const name = subject.replaceAll(' ', '-')
  let warming: Promise<Warm> | undefined
  afterAll(async () => rm((await warming)?.folder ?? '', { recursive: true, force: true }))

  /** Once for all steps. */
  async function warm(): Promise<Warm> {
    const folder = await mkdtemp(join(tmpdir(), 'entrepot-crash-'))
    const config = await configFor(folder, upstream, { freshFor: '1ms' })
    return { folder, config, kept: await warmDirectory(name, folder, config) }
  }

  test.each(steps)('at %s', async (step) => {
    const { folder, config, kept } = await (warming ??= warm())
    const data = join(await temporaryFolder(), 'data')
    await cp(join(folder, 'data'), data, { recursive: true })
    const asked = ask(name)
    const url = (daemon: Entrepot) => `${daemon.url}/v2/up.example/${name}/${asked.path}`
    const doomed = await startEntrepot({ data, config, env: { ENTREPOT_TEST_FAILPOINT: step } })
    await pull(url(doomed)).catch(() => undefined)
    expect(await doomed.ended).toMatchObject({ signal: 'SIGKILL', stderr: '' })

    const daemon = await startEntrepot({ data, config })
    await expectHits(daemon, name, kept)
    await expectFiles(data, [...kept, ...(step === 'level.batch-after' ? [asked] : [])])
    await expectUnlinkedElsewhere(daemon, [...kept, asked])
    expect(await pull(url(daemon))).toMatchObject({ status: 200, digest: asked.digest, said: asked.digest })
    await expect.poll(async () => (await pull(url(daemon))).cache).toBe('hit')
    await expectHits(daemon, name, [...kept, asked])
    await expect.poll(() => spoolsIn(data)).toEqual([])
    expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })

    const recorded = [...new Set([...kept, asked].map(({ digest }) => digest))].toSorted()
    expect(await inspectKept(data)).toEqual({ recorded, orphans: [], damaged: [], unlinked: [], spools: [] })
  })
})

/** Upkeep sweeps what no record speaks of. */
async function expectFiles(data: string, recorded: Asked[]): Promise<void> {
  const files = recorded.filter(({ file }) => file).map(({ digest }) => digest)
  await expect.poll(() => filesIn(data)).toEqual(files.toSorted())
}

/** That bytes are here does not make them readable through a repository whose upstream does not have them. */
async function expectUnlinkedElsewhere(daemon: Entrepot, content: Asked[]): Promise<void> {
  for (const { digest } of content) {
    expect(await pull(`${daemon.url}/v2/up.example/elsewhere/blobs/${digest}`)).toMatchObject({ status: 404 })
    expect(await pull(`${daemon.url}/v2/up.example/elsewhere/manifests/${digest}`)).toMatchObject({ status: 404 })
  }
}

test('killed between the record and the file of what it evicts, it sweeps the file and fetches anew', async () => {
  const folder = await temporaryFolder()
  const data = join(folder, 'data')
  const config = await configFor(folder, upstream, { maxSize: '1MiB' })
  const [evicted, next] = [blob('evicted', 600_000), blob('evicted', 600_001)]
  const url = (daemon: Entrepot, { path }: Asked) => `${daemon.url}/v2/up.example/evicted/${path}`
  const doomed = await startEntrepot({ data, config, env: { ENTREPOT_TEST_FAILPOINT: 'content.dropped' } })
  await expect.poll(async () => (await pull(url(doomed, evicted))).cache).toBe('hit')
  await pull(url(doomed, next)).catch(() => undefined)
  expect(await doomed.ended).toMatchObject({ signal: 'SIGKILL' })
  expect(await filesIn(data)).toEqual([evicted.digest])

  const daemon = await startEntrepot({ data, config })
  await expectFiles(data, [])
  for (const asked of [evicted, next]) {
    expect(await pull(url(daemon, asked))).toMatchObject({ status: 200, cache: 'miss', digest: asked.digest })
    await expect.poll(async () => (await pull(url(daemon, asked))).cache).toBe('hit')
  }
  await expectFiles(data, [next])
  expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
  expect(await inspectKept(data)).toMatchObject({ recorded: [next.digest], orphans: [], damaged: [], spools: [] })
})
