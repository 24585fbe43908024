/** The official conformance suite: all of it on hosted repositories, and its read-only mode through the proxy, cold and warm. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { aligned } from '../clients/table.ts'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { missingTools, pinnedVersion } from '../support/tools.ts'
import { seed } from './seed.ts'
import { failuresIn, type Report, runSuite } from './suite.ts'

const missing = missingTools('conformance')
const hint = missing.length > 0 ? ' (not installed: run test/clients/install conformance)' : ''
const columns = ['hosted', 'proxied, cold', 'proxied, warm'] as const
const reports = new Map<(typeof columns)[number], Report>()
const daemons: Daemon[] = []

/** Hosted repositories need a config or a layer to be there: the suite has this off too, since registries may. */
const unsupported = ['Sparse Manifests']

async function daemon(config: Record<string, unknown>): Promise<Daemon> {
  const started = await startDaemon({ config: { dockerConfig: 'off', ...config } })
  daemons.push(started)
  return started
}

function expectClean(report: Report, at: Daemon): void {
  const { failed, errors, skipped, passed } = report.counts
  const failures = failuresIn(report)
  if (failures.length > 0) console.log(logTail(at))
  expect({ failures, failed, errors, skipped }).toEqual({ failures: [], failed: 0, errors: 0, skipped: 0 })
  expect(passed).toBeGreaterThan(20)
}

describe.skipIf(missing.length > 0)(`the conformance suite ${pinnedVersion('conformance')}${hint}`, () => {
  afterAll(async () => {
    console.log(`The suite, ${pinnedVersion('conformance')}:\n\n${table()}\n`)
    await Promise.all(daemons.map((one) => one.stop()))
  })

  test('passes whole on hosted repositories', async () => {
    const registry = await daemon({ hosted: ['conformance/**'] })
    const report = await runSuite(registry.host, {})
    reports.set('hosted', report)
    expectClean(report, registry)
    const { apis, data } = report
    const others = Object.entries({ ...apis, ...data }).filter(([name]) => !unsupported.includes(name))
    expect(others.filter(([, status]) => status !== 'Pass')).toEqual([])
    expect(Object.keys(apis).length).toBeGreaterThan(25)
  }, 300_000)

  test('passes read-only through the proxy, cold and warm', async () => {
    const origin = await daemon({ hosted: ['team/**'] })
    const content = await seed(`${origin.url}/v2/team/app`)
    const registry = await daemon({ upstreams: { 'origin.test': { url: origin.url } } })
    for (const column of ['proxied, cold', 'proxied, warm'] as const) {
      const report = await runSuite(registry.host, {
        ...readOnly,
        REPO1: 'origin.test/team/app',
        RO_DATA_TAGS: content.tags.join(' '),
        RO_DATA_MANIFESTS: content.manifests.join(' '),
        RO_DATA_BLOBS: content.blobs.join(' '),
        RO_DATA_REFERRERS: content.referrers.join(' '),
      })
      reports.set(column, report)
      expectClean(report, registry)
    }
    for (const digest of content.manifests) {
      const response = await fetch(`${registry.url}/v2/origin.test/team/app/manifests/${digest}`, { method: 'HEAD' })
      expect(response.headers.get('docker-content-digest')).toBe(digest)
    }
  }, 300_000)

  test('docs/conformance.md shows these results', async () => {
    const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'conformance.md'), 'utf8')
    expect(page).toContain(table())
    expect(page).toContain(pinnedVersion('conformance'))
  })
})

/**
 * No pushes, no deletes. The suite does not keep the answers about manifests that it was only told of, and so finds no digest header in
 * them: the test looks at those itself.
 */
const deletes = ['BLOBS', 'MANIFESTS', 'TAGS'].flatMap((what) => [`API_${what}_DELETE`, `API_${what}_ATOMIC`])
const readOnly = Object.fromEntries(
  ['API_PUSH', 'API_MANIFESTS_DIGEST_HEADER', ...deletes].map((name) => [name, 'false']),
)

/** The suite's own names and words; what it disables where there is no push is `-`. */
function table(): string {
  const found = columns.map((column) => reports.get(column))
  const names = [
    ...new Set(found.flatMap((report) => (report ? [...Object.keys(report.apis), ...Object.keys(report.data)] : []))),
  ]
  const rows = names.map((name) => [name, ...found.map((report) => word({ ...report?.apis, ...report?.data }[name]))])
  const counts = found.map((report) => {
    const { passed = 0, failed = 0, errors = 0, skipped = 0 } = report?.counts ?? {}
    return `${passed} / ${failed + errors} / ${skipped}`
  })
  return aligned([['', ...columns], ...rows, ['passed / failed / skipped', ...counts]])
}

function word(status: string | undefined): string {
  return status === undefined || status === 'Disabled' || status === 'Unknown' ? '-' : status.toLowerCase()
}
