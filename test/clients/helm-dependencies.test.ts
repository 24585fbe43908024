/**
 * A chart whose dependencies are version ranges: Helm 3 and Helm 4 resolve them through the daemon exactly as they do at the
 * upstream itself, then with the upstream stopped, then offline; and a new version is seen when the tag list has become stale.
 * The upstream holds the charts of test/data, or those of the folder ENTREPOT_TEST_CHARTS.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { parse } from 'yaml'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { missingTools } from '../support/tools.ts'
import { startDistribution, type TestUpstream } from '../support/upstreams.ts'
import {
  ask,
  type Asking,
  chartFile,
  charts,
  digestsOf,
  filesBelow,
  type Helm,
  helms,
  knowing,
  pushCharts,
  repackage,
} from './helm.ts'

const chart = join(import.meta.dirname, '..', 'data', 'prometheus-chart')
const missing = missingTools('distribution', 'helm3', 'helm4')
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const listsFreshFor = 5_000

/** What the ranges of Chart.yaml mean among these charts, then what other ranges mean. */
const newest = [
  'alertmanager-1.42.0',
  'kube-state-metrics-8.4.0',
  'prometheus-node-exporter-4.56.1',
  'prometheus-pushgateway-3.8.0',
]
const older = [
  'alertmanager-1.41.1',
  'kube-state-metrics-8.3.1',
  'prometheus-node-exporter-4.56.0',
  'prometheus-pushgateway-3.7.0',
]
const otherRanges = ['>=1.40.0 <1.42.0', '~8.3', '^4.55.0, !=4.56.1', '3.0 - 3.7 || 2.x']
const asked = [
  { title: "the chart's own ranges", ranges: [], locked: newest },
  { title: 'other ranges', ranges: otherRanges, locked: older },
]
const cases = helms.flatMap((helm) => asked.map((question) => ({ helm, ...question })))

interface Resolved {
  /** `name-version` of each line of Chart.lock. */
  locked: string[]
  /** SHA-256 of each file in charts/ after `dependency update`. */
  updated: Record<string, string>
  /** The same after `dependency build` from Chart.lock alone. */
  built: Record<string, string>
  /** What `helm template` printed. */
  template: string
}

let upstream: TestUpstream
let direct: string
let daemon: Daemon
let folder: string

describe.skipIf(missing.length > 0)(`the dependencies of a chart among ${charts.length} charts${hint}`, () => {
  const answers = new Map<string, Resolved>()

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-dependencies-'))
    upstream = await startDistribution()
    await pushCharts(upstream, charts, folder)
    direct = upstream.host.replace('127.0.0.1', 'localhost')
    daemon = await startDaemon({ config: knowing(upstream), data: join(folder, 'data') })
  }, 240_000)

  beforeEach(() => onTestFailed(() => console.log(logTail(daemon))))

  afterAll(async () => {
    await daemon?.stop()
    await upstream?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test.each(cases)('$helm resolves $title at the upstream', async ({ helm, title, ranges, locked }) => {
    const resolved = await resolve({ helm, registry: direct, folder }, ranges)
    const pushed = await digestsOf(locked.map((name) => chartFile(`${name}.tgz`)))
    expect(resolved).toMatchObject({ locked, updated: pushed, built: pushed })
    expect(resolved.template).toContain('\nkind: Deployment\n')
    answers.set(helm + title, resolved)
  })

  resolvesTheSame('through the daemon')

  test('a new version is seen once the tag lists are stale, and not before', seesNewVersion, 60_000)

  describe('after the upstream was stopped', () => {
    beforeAll(() => upstream.stop())
    resolvesTheSame('through the daemon')
  })

  describe('offline', () => {
    beforeAll(async () => {
      await daemon.stop()
      daemon = await startDaemon({ config: knowing(upstream), data: join(folder, 'data'), args: ['--offline'] })
    })
    resolvesTheSame('through the daemon')
  })

  function resolvesTheSame(where: string): void {
    test.each(cases)(`$helm resolves $title ${where}`, async ({ helm, title, ranges }) => {
      expect(await resolve({ helm, registry: through(daemon), folder }, ranges)).toEqual(answers.get(helm + title))
    })
  }
})

/** With a daemon of its own, none of whose lists is older than its first question. */
async function seesNewVersion(): Promise<void> {
  const added = await repackage(chartFile('alertmanager-1.42.0.tgz'), '1.42.1', folder)
  const before = await digestsOf(newest.map((name) => chartFile(`${name}.tgz`)))
  const [replaced, ...rest] = Object.entries(before)
  const after = { ...(await digestsOf([added])), ...Object.fromEntries(rest) }
  const own = await startDaemon({ config: knowing(upstream, { listsFreshFor: `${listsFreshFor}ms` }) })
  onTestFailed(() => console.log(logTail(own)))
  try {
    const start = performance.now()
    const each = () => Promise.all(helms.map((helm) => updated(helm, through(own))))
    expect(await each()).toEqual([before, before])
    await pushCharts(upstream, [added], folder)
    expect(await updated('helm4', direct)).toEqual(after)
    expect(await each()).toEqual([before, before])
    expect(performance.now() - start, 'time in which to see the old one').toBeLessThan(listsFreshFor)
    let seenAt = 0
    const seen = async () => {
      const got = await each()
      if (seenAt === 0 && got.some((files) => !(String(replaced?.[0]) in files))) seenAt = performance.now()
      return got
    }
    await expect.poll(seen, { timeout: 30_000, interval: 200 }).toEqual([after, after])
    expect(seenAt - start).toBeGreaterThanOrEqual(listsFreshFor)
  } finally {
    await own.stop()
  }
}

async function updated(helm: Helm, registry: string): Promise<Record<string, string>> {
  const copy = await chartAt(registry, [])
  await successfully({ helm, registry, folder }, ['dependency', 'update', '.'], copy)
  return digestsOf(await filesBelow(join(copy, 'charts')))
}

async function resolve(asking: Asking, ranges: string[]): Promise<Resolved> {
  const copy = await chartAt(asking.registry, ranges)
  const vendored = join(copy, 'charts')
  await successfully(asking, ['dependency', 'update', '.'], copy)
  const afterUpdate = await digestsOf(await filesBelow(vendored))
  await rm(vendored, { recursive: true })
  await successfully(asking, ['dependency', 'build', '.'], copy)
  const template = await successfully(asking, ['template', 'release', '.'], copy)
  const lock: { dependencies: Dependency[] } = parse(await readFile(join(copy, 'Chart.lock'), 'utf8'))
  return {
    locked: lock.dependencies.map(({ name, version }) => `${name}-${version}`),
    updated: afterUpdate,
    built: await digestsOf(await filesBelow(vendored)),
    template,
  }
}

interface Dependency {
  name: string
  version: string
  repository: string
}

/** A copy of the chart whose dependencies come from a registry; `ranges` replace its own, in order. */
async function chartAt(registry: string, ranges: string[]): Promise<string> {
  const copy = join(await mkdtemp(join(folder, 'chart-')), 'prometheus')
  await cp(chart, copy, { recursive: true })
  const file = join(copy, 'Chart.yaml')
  const description: { dependencies: Dependency[] } = parse(await readFile(file, 'utf8'))
  const dependencies = description.dependencies.map((dependency, at) => {
    return { ...dependency, repository: `oci://${registry}/charts`, version: ranges[at] ?? dependency.version }
  })
  await writeFile(file, JSON.stringify({ ...description, dependencies }))
  return copy
}

/** What it printed. @throws with its errors when it fails */
async function successfully(asking: Asking, args: string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await ask(asking, args, cwd)
  if (code !== 0) throw new Error(`${asking.helm} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
  return stdout
}

function through(own: Daemon): string {
  return `${own.host.replace('127.0.0.1', 'localhost')}/plain`
}
