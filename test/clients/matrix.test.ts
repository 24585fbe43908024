/**
 * Every client against every upstream, through the daemon: first with the upstream there, then with it stopped and into an empty
 * client store. Each client has a daemon of its own, so that its first pull finds nothing kept.
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { contentTools, createPusher, type Item, type Pusher, selections } from '../support/content.ts'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { missingTools } from '../support/tools.ts'
import { startDistribution, startGgcrRegistry, type TestUpstream } from '../support/upstreams.ts'
import { type Client, clients, type ClientStore } from './clients.ts'
import { matrixTable, type Phase, type Row } from './table.ts'

const sources = [
  { title: 'distribution', alias: 'plain', start: () => startDistribution('none') },
  { title: 'distribution, Basic', alias: 'basic', start: () => startDistribution('basic') },
  { title: 'distribution, Bearer', alias: 'bearer', start: () => startDistribution('token') },
  { title: 'ggcr registry', alias: 'ggcr', start: () => startGgcrRegistry() },
]
/** Hosts as clients know them; nobody resolves them, because the configuration says where they are. */
const nameOf = (alias: string) => `${alias}.test:5001`

const lacking = missingTools('distribution', 'ggcr-registry', ...contentTools)
const unreachable = (client: Client) => {
  const missing = [...new Set([...lacking, ...missingTools(...client.tools)])]
  if (missing.length > 0) return `not installed: ${missing.join(', ')}; run test/clients/install`
  if (client.tools.includes('containerd') && process.getuid?.() !== 0) return 'containerd needs root'
  return undefined
}
const hint = (reason: string | undefined) => (reason === undefined ? '' : ` (${reason})`)
const rows: Row[] = clients.flatMap(({ name, kinds }) => kinds.map((kind) => ({ client: name, kind })))

const upstreams = new Map<string, TestUpstream>()
const items = new Map<string, Item[]>()
const daemons = new Map<string, Daemon>()
const results = new Map<string, boolean>()
let pusher: Pusher
let folder: string

const resultKey = (row: Row, upstream: string, phase: Phase) => [row.client, row.kind, upstream, phase].join('\n')
const table = () =>
  matrixTable(
    rows,
    sources.map(({ title }) => title),
    (row, upstream, phase) => results.get(resultKey(row, upstream, phase)),
  )

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'entrepot-clients-'))
  if (lacking.length > 0) return
  for (const { alias, start } of sources) upstreams.set(alias, await start())
  pusher = await createPusher([...upstreams.values()])
  for (const [at, { alias }] of sources.entries()) {
    const selection = selections[at]
    if (selection) items.set(alias, await pusher.push(found(upstreams, alias), selection))
  }
}, 120_000)

afterAll(async () => {
  console.log(`Clients through the daemon / again after the upstream was stopped:\n\n${table()}\n`)
  await Promise.all([...daemons.values(), ...upstreams.values()].map((process_) => process_.stop()))
  await pusher?.close()
  await rm(folder, { recursive: true, force: true })
}, 60_000)

describe.each(clients)('$name', (client) => {
  const reason = unreachable(client)
  describe.skipIf(reason !== undefined)(`through the daemon${hint(reason)}`, () => {
    beforeAll(async () => {
      daemons.set(client.name, await startDaemon({ config: configuration() }))
    })
    pulls(client, 'through')
  })
})

describe('after every upstream was stopped', () => {
  beforeAll(async () => {
    await Promise.all([...upstreams.values()].map((upstream) => upstream.stop()))
  })
  test.skipIf(lacking.length > 0).each(sources)('nothing answers any more where $title was', async ({ alias }) => {
    await expect(fetch(found(upstreams, alias).url)).rejects.toThrow('fetch failed')
  })
  describe.each(clients)('$name', (client) => {
    const reason = unreachable(client)
    describe.skipIf(reason !== undefined)(`with an empty store${hint(reason)}`, () => {
      pulls(client, 'stopped')
    })
  })
})

const untested = clients.filter((client) => unreachable(client) !== undefined)
test.skipIf(untested.length > 0)('docs/clients.md shows this matrix', async () => {
  const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'clients.md'), 'utf8')
  expect(page).toContain(table())
})

function pulls(client: Client, phase: Phase): void {
  let store: ClientStore
  beforeAll(async () => {
    const own = join(folder, `${clients.indexOf(client)}-${phase}`)
    await mkdir(own)
    store = await client.open(own, pusher.publicKey)
  })
  afterAll(() => store?.close())

  for (const { title, alias } of sources) {
    test.each(client.kinds)(
      `gets the %s of ${title}`,
      async (kind) => {
        const key = resultKey({ client: client.name, kind }, title, phase)
        results.set(key, false)
        onTestFailed(() => console.log(logTail(daemons.get(client.name))))
        const item = found(items, alias).find((candidate) => candidate.kind === kind)
        const path = { daemon: found(daemons, client.name).host, alias, upstream: nameOf(alias) }
        expect(await store.pull(path, item ?? unknown(kind))).toBe(item?.digest)
        results.set(key, true)
      },
      60_000,
    )
  }
}

function configuration(): Record<string, unknown> {
  const entries = sources.map(({ alias }) => {
    const { url, credentials } = found(upstreams, alias)
    return [nameOf(alias), { alias, url, ...credentials }] as const
  })
  return { upstreams: Object.fromEntries(entries), dockerConfig: 'off' }
}

function found<T>(map: Map<string, T>, key: string): T {
  return map.get(key) ?? unknown(key)
}

function unknown(what: string): never {
  throw new Error(`${what} was not set up`)
}
