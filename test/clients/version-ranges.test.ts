/**
 * A version range where clients know only tags: each client asks for `node:caret-22.3` as for any tag and gets the digest of the tag
 * that the range means; then again with the upstream stopped, into an empty store, and offline. Each client has a daemon of its own.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import type { Item, Kind } from '../support/content.ts'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { run } from '../support/process.ts'
import { missingTools, toolPath } from '../support/tools.ts'
import { startDistribution, type TestUpstream } from '../support/upstreams.ts'
import { builders } from './builders.ts'
import { type Client, clients, type ClientStore } from './clients.ts'
import { chartFile, knowing, pushCharts } from './helm.ts'
import { aligned, mark, type Phase as Tabled } from './table.ts'

const tags = `20.1.0 22 22.3.0 22.3.1 22.8.0 22.8.0-alpine 22.9 22.9.0 22.9.0-alpine 22.9.0-alpine3.20 22.9.0-slim
  22.10.0-rc.1 23.0.0 23.0.0-alpine 23.x latest`.split(/\s+/)
const versions = ['1.40.3', '1.41.0', '1.41.1', '1.42.0']
const image = { kind: 'image', name: 'library/node' } as const
const chart = { kind: 'chart', name: 'charts/alertmanager' } as const

/** `means` the tag whose digest is to come; `23.x` is a tag that exists, so it is no range. */
const questions: { kind: Kind; name: string; tag: string; means: string }[] = [
  { ...image, tag: 'caret-22.3', means: '22.9.0' },
  { ...image, tag: '22.x-alpine', means: '22.9.0-alpine' },
  { ...image, tag: 'ge-22.3_lt-22.9', means: '22.8.0' },
  { ...image, tag: '19.x__tilde-22.3', means: '22.3.1' },
  { ...image, tag: '23.x', means: '23.x' },
  { ...chart, tag: '1.x', means: '1.42.0' },
]

const platform = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`
const asking = [...clients, ...builders].filter(({ kinds }) => kinds.includes('image') || kinds.includes('chart'))
const lacking = missingTools('distribution', 'crane', 'helm4')
const unreachable = (client: Client) => {
  const missing = [...new Set([...lacking, ...missingTools(...client.tools)])]
  if (missing.length > 0) return ` (not installed: ${missing.join(', ')}; run test/clients/install)`
  return client.tools.includes('containerd') && process.getuid?.() !== 0 ? ' (containerd needs root)' : ''
}

type Phase = Tabled | 'offline'

const daemons = new Map<Client, Daemon>()
const results = new Map<string, boolean>()
const digests = new Map<string, string>()
let upstream: TestUpstream
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'entrepot-version-ranges-'))
  if (lacking.length > 0) return
  upstream = await startDistribution()
  for (const tag of tags) await pushImage(tag)
  await pushCharts(upstream, versions.map(chartOf), folder)
  const reference = `${upstream.host}/${chart.name}:1.42.0`
  digests.set('1.42.0', (await run(toolPath('crane'), ['digest', reference])).trim())
}, 60_000)

afterAll(async () => {
  console.log(`A range through the daemon / again after the upstream was stopped:\n\n${table()}\n`)
  await Promise.all([...daemons.values()].map((daemon) => daemon.stop()))
  await upstream?.stop()
  await rm(folder, { recursive: true, force: true })
}, 60_000)

describe.each(asking)('$name', (client) => {
  const reason = unreachable(client)
  describe.skipIf(reason !== '')(`through the daemon${reason}`, () => {
    beforeAll(async () => {
      await start(client)
    })
    pulls(client, 'through')
  })
})

describe('after the upstream was stopped', () => {
  beforeAll(() => upstream?.stop())
  describe.each(asking)('$name', (client) => {
    const reason = unreachable(client)
    describe.skipIf(reason !== '')(`with an empty store${reason}`, () => {
      pulls(client, 'stopped')
    })
    describe.skipIf(reason !== '')(`with an empty store, offline${reason}`, () => {
      beforeAll(async () => {
        await daemons.get(client)?.stop()
        await start(client, '--offline')
      })
      pulls(client, 'offline')
    })
  })
})

function pulls(client: Client, phase: Phase): void {
  let store: ClientStore
  beforeAll(async () => {
    const own = join(folder, `${asking.indexOf(client)}-${phase}`)
    await mkdir(own)
    store = await client.open(own, '')
  })
  afterAll(() => store?.close())

  const pull = (item: Item) => {
    const daemon = daemons.get(client)
    if (daemon === undefined) throw new Error('there is no daemon')
    onTestFailed(() => console.log(logTail(daemon)))
    return store.pull({ daemon: daemon.host, alias: 'plain', upstream: 'plain.test:5001' }, item)
  }

  test.each(questions.filter(({ kind }) => client.kinds.includes(kind)))(
    'gets $means for $tag',
    async ({ kind, name, tag, means }) => {
      results.set([client.name, tag, phase].join('\n'), false)
      const digest = digests.get(means) ?? `no digest of ${means}`
      const file = kind === 'chart' ? { file: chartOf(means) } : {}
      const item: Item = { kind, name, tag, digest, ...file }
      expect(await pull(item)).toBe(digest)
      results.set([client.name, tag, phase].join('\n'), true)
    },
    60_000,
  )

  if (!client.kinds.includes('image')) return
  test('is told that there is nothing for caret-99', async () => {
    await expect(pull({ ...image, tag: 'caret-99', digest: '' })).rejects.toThrow(
      /caret-99: not found|MANIFEST_UNKNOWN|manifest unknown/,
    )
  })
}

test.skipIf(asking.some((client) => unreachable(client) !== ''))(
  'docs/version-ranges.md shows this table',
  async () => {
    const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'version-ranges.md'), 'utf8')
    expect(page).toContain(table())
  },
)

async function start(client: Client, ...args: string[]): Promise<void> {
  const config = knowing(upstream, { profiles: { [`plain.test:5001/${chart.name}`]: 'helm' } })
  const data = join(folder, `data-${asking.indexOf(client)}`)
  daemons.set(client, await startDaemon({ config, data, args }))
}

function chartOf(version: string): string {
  return chartFile(`alertmanager-${version}.tgz`)
}

/** One image a tag, no two of them the same. */
async function pushImage(tag: string): Promise<void> {
  const content = join(folder, `content-${tag}`)
  await mkdir(content)
  await writeFile(join(content, 'tag'), tag)
  const tar = join(folder, `${tag}.tar`)
  await run('tar', ['-C', content, '-cf', tar, 'tag'])
  const reference = `${upstream.host}/${image.name}:${tag}`
  await run(toolPath('crane'), ['append', '--oci-empty-base', '-f', tar, '-t', reference])
  await run(toolPath('crane'), ['mutate', reference, '--set-platform', platform, '-t', reference])
  digests.set(tag, (await run(toolPath('crane'), ['digest', reference])).trim())
}

function table(): string {
  const cell = (client: Client, tag: string) => {
    const [through, stopped] = (['through', 'stopped'] as const).map((phase) =>
      results.get([client.name, tag, phase].join('\n')),
    )
    return `${mark(through)} / ${mark(stopped)}`
  }
  const head = ['client', ...questions.map(({ tag, means }) => `${tag} = ${means}`)]
  return aligned([head, ...asking.map((client) => [client.name, ...questions.map(({ tag }) => cell(client, tag))])])
}
