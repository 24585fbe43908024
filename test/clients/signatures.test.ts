/**
 * Signatures and attachments, by every client that makes them: on hosted repositories, and made directly at an upstream and found
 * through the proxy: first with nothing kept, again, after the upstream was stopped, and by a daemon that was started offline.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { missingTools } from '../support/tools.ts'
import { startDistribution } from '../support/upstreams.ts'
import { otherAttachments } from './signing-attachments.ts'
import { cosignAttachments } from './signing-cosign.ts'
import { type Attachment, openWorkshop, type Subject, subjectTools, type Workshop } from './signing.ts'
import { aligned, mark } from './table.ts'

type Phase = 'cold' | 'warm' | 'stopped' | 'offline'
type Column = 'hosted' | Phase

interface Source {
  alias: string
  url: string
  host: string
  stop(): Promise<void>
}

/** Where referrers are kept by the tag schema alone, and where there is a referrers API. */
const sources = [
  { title: 'distribution', alias: 'plain', start: startDistribution },
  { title: 'another Entrepot', alias: 'house', start: () => startDaemon({ config: { dockerConfig: 'off' } }) },
]
const columns: Record<Column, string> = {
  hosted: 'hosted',
  cold: 'proxied, cold',
  warm: 'warm',
  stopped: 'upstream stopped',
  offline: 'offline',
}
const attachments = [...cosignAttachments, ...otherAttachments].map((attachment, at) => ({
  attachment,
  at,
  title: `${attachment.client}: ${attachment.what}`,
}))
const lacking = missingTools(
  'distribution',
  ...subjectTools,
  ...attachments.flatMap(({ attachment }) => attachment.tools),
)
const hint = lacking.length > 0 ? ` (not installed: ${lacking.join(', ')}; run test/clients/install)` : ''

const results = new Map<string, string>()
const upstreams = new Map<string, Source>()
const made = new Map<string, { subject: Subject; digests: string[] }>()
let folder: string
let workshop: Workshop
let hosted: Daemon
let proxy: Daemon

describe.skipIf(lacking.length > 0)(`signatures and attachments${hint}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-signatures-'))
    workshop = await openWorkshop(folder)
    hosted = await startDaemon({ config: { dockerConfig: 'off' } })
    for (const { alias, start } of sources) upstreams.set(alias, { alias, ...(await start()) })
    proxy = await startProxy()
  }, 120_000)

  afterAll(async () => {
    console.log(`Signatures and attachments:\n\n${table()}\n`)
    await Promise.all([hosted, proxy, ...upstreams.values()].map((process_) => process_?.stop()))
    await rm(folder, { recursive: true, force: true })
  }, 60_000)

  describe('on hosted repositories', () => {
    test.each(attachments)('$title', { timeout: 120_000 }, async ({ attachment, at }) => {
      onTestFailed(() => console.log(logTail(hosted)))
      await records(at, 'hosted', 'hosted', attachment, async () => {
        const subject = await workshop.push(attachment.on, hosted.host, `local/signed-${at}`)
        const spot = await workshop.spot(hosted.host, subject, `${hosted.host}/local/copy-${at}`)
        await attachment.check(spot, await attachment.make(spot))
      })
    })
  })

  describe.each(sources)('through the proxy, made at $title', ({ alias }) => {
    test.each(attachments)('cold, and warm: $title', { timeout: 120_000 }, async ({ attachment, at }) => {
      onTestFailed(() => console.log(logTail(proxy)))
      const { host } = found(upstreams, alias)
      const subject = await workshop.push(attachment.on, host, `local/signed-${at}`)
      const digests = await attachment.make(await workshop.spot(host, subject, ''))
      made.set(`${alias} ${at}`, { subject, digests })
      await looks(alias, at, 'cold', attachment)
      await looks(alias, at, 'warm', attachment)
    })
  })

  describe('after the upstreams were stopped', () => {
    beforeAll(() => Promise.all([...upstreams.values()].map((upstream) => upstream.stop())))
    looksEverywhere('stopped')
  })

  describe('offline', () => {
    beforeAll(async () => {
      await proxy.stop()
      proxy = await startProxy('--offline')
    })
    looksEverywhere('offline')
  })

  test('docs/signatures.md shows this table', async () => {
    const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'signatures.md'), 'utf8')
    expect(page).toContain(table())
  })
})

function looksEverywhere(phase: Phase): void {
  describe.each(sources)('made at $title', ({ alias }) => {
    // At the same time: where the upstream is stopped, clients try again for seconds.
    test.for(attachments)('$title', { timeout: 120_000, concurrent: true }, async ({ attachment, at }, context) => {
      context.onTestFailed(() => console.log(logTail(proxy)))
      await looks(alias, at, phase, attachment)
    })
  })
}

/** Through the proxy. What only the upstream can say is an error while it is stopped, and that is what is wanted. */
async function looks(alias: string, at: number, phase: Phase, attachment: Attachment): Promise<void> {
  await records(at, phase, alias, attachment, async () => {
    const { subject, digests } = found(made, `${alias} ${at}`)
    const copies = `${hosted.host}/local/${alias}-${phase}-${at}`
    const spot = await workshop.spot(`${proxy.host}/${alias}`, subject, copies)
    const looking = attachment.check(spot, digests)
    if (isUnanswered(attachment, alias, phase))
      await expect(looking).rejects.toThrow(/UNAVAILABLE|status code 50[234]/i)
    else await looking
  })
}

function isUnanswered({ unanswered }: Attachment, alias: string, column: Column): boolean {
  if (column !== 'stopped' || unanswered === undefined) return false
  return unanswered === 'always' || alias !== 'house'
}

/** @param place the repository's own, or the alias of its upstream */
async function records(at: number, column: Column, place: string, attachment: Attachment, check: () => Promise<void>) {
  const key = `${at} ${column} ${place}`
  results.set(key, mark(false))
  await check()
  results.set(key, isUnanswered(attachment, place, column) ? 'error' : mark(true))
}

function table(): string {
  const rows = attachments.map(({ attachment: { client, what }, at }) => [
    client,
    what,
    cell(at, 'hosted', ['hosted']),
    ...(['cold', 'warm', 'stopped', 'offline'] as const).map((phase) =>
      cell(
        at,
        phase,
        sources.map(({ alias }) => alias),
      ),
    ),
  ])
  return aligned([['client', 'what', ...Object.values(columns)], ...rows])
}

/** The same for all upstreams, or the one that is not `yes`; `with an API` where that is an error but for the referrers API. */
function cell(at: number, column: Column, places: string[]): string {
  const said = places.map((place) => results.get(`${at} ${column} ${place}`) ?? mark(undefined))
  const wrong = [mark(false), mark(undefined)].find((text) => said.includes(text))
  if (wrong !== undefined) return wrong
  if (said.includes('error')) return said.includes(mark(true)) ? 'with an API' : 'error'
  return mark(true)
}

function startProxy(...args: string[]): Promise<Daemon> {
  const entries = [...upstreams.values()].map(({ alias, url }) => [`${alias}.test:5001`, { alias, url }])
  // Never fresh: every answer about a tag or its referrers is asked for anew, or comes from what is kept.
  const config = { upstreams: Object.fromEntries(entries), dockerConfig: 'off', freshFor: '1ms', logLevel: 'debug' }
  return startDaemon({ config, args, data: join(folder, 'proxy') })
}

function found<T>(map: Map<string, T>, key: string): T {
  const value = map.get(key)
  if (value === undefined) throw new Error(`${key} was not set up`)
  return value
}
