/**
 * Version ranges as Helm's users write them: pull, show and template through the daemon give what they give at the upstream itself,
 * the same chart or the same error, and go on doing so with the upstream stopped.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { missingTools } from '../support/tools.ts'
import { startDistribution, type TestUpstream } from '../support/upstreams.ts'
import { ask, chartFile, charts, digestsOf, helms, knowing, type Outcome, pushCharts, repackage } from './helm.ts'

const missing = missingTools('distribution', 'helm3', 'helm4')
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const added = ['1.43.0-rc.1', '1.40.4+build.7']
const chart = 'oci://REGISTRY/charts/alertmanager'
const pull = ['pull', chart]

/** `gives` the version of the one file that is there afterwards, or what Helm says. */
const questions: { args: string[]; gives: string | RegExp }[] = [
  { args: pull, gives: '1.42.0' },
  { args: [...pull, '--devel'], gives: '1.43.0-rc.1' },
  { args: [...pull, '--version', '^1.40'], gives: '1.42.0' },
  { args: [...pull, '--version', '>=1.40.0 <1.42.0'], gives: '1.41.1' },
  { args: [...pull, '--version', '>=1.40, !=1.42.0, <2'], gives: '1.41.1' },
  { args: [...pull, '--version', '1.38 - 1.40'], gives: '1.40.4+build.7' },
  { args: [...pull, '--version', '~1.38.0 || ~1.2'], gives: '1.38.3' },
  { args: [...pull, '--version', 'v1.41.x'], gives: '1.41.1' },
  { args: [...pull, '--version', '^1.43.0-0'], gives: '1.43.0-rc.1' },
  { args: [...pull, '--version', '*'], gives: '1.42.0' },
  { args: [...pull, '--version', '1.40.4+build.7'], gives: '1.40.4+build.7' },
  { args: ['pull', `${chart}:1.x`], gives: '1.42.0' },
  { args: [...pull, '--version', '^9'], gives: /could not locate a version matching provided version string \^9/i },
  { args: [...pull, '--version', '1.x <'], gives: /improper constraint: "1.x <"/ },
  { args: [...pull, '--version', 'caret-1.40'], gives: /improper constraint: "caret-1.40"/ },
  { args: ['show', 'all', chart, '--version', '~1.38.0'], gives: /^version: 1\.38\.3$/m },
  { args: ['show', 'values', chart, '--version', '1.41.*'], gives: /^replicaCount: 1$/m },
  {
    args: ['template', 'one', chart, '--version', '>1.40 <1.42', '--kube-version', '1.34'],
    gives: /^ {4}helm\.sh\/chart: alertmanager-1\.41\.1$/m,
  },
]
const cases = helms.flatMap((helm) => {
  return questions.map(({ args, gives }) => {
    const title = `${helm} ${args.join(' ').replace('oci://REGISTRY/charts/', '')}`
    return [title, { helm, args, gives }] as const
  })
})

let upstream: TestUpstream
let daemon: Daemon
let folder: string

describe.skipIf(missing.length > 0)(`Helm with a version range${hint}`, () => {
  const answers = new Map<string, Outcome>()

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-helm-'))
    upstream = await startDistribution()
    const [newest, older] = [chartFile('alertmanager-1.42.0.tgz'), chartFile('alertmanager-1.40.3.tgz')]
    const made = await Promise.all(added.map((version, at) => repackage(at === 0 ? newest : older, version, folder)))
    const real = charts.filter((file) => basename(file).startsWith('alertmanager-'))
    await pushCharts(upstream, [...real, ...made], folder)
    daemon = await startDaemon({ config: knowing(upstream) })
  }, 120_000)

  beforeEach(() => onTestFailed(() => console.log(logTail(daemon))))

  afterAll(async () => {
    await daemon?.stop()
    await upstream?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test.each(cases)('%s: at the upstream', async (title, { helm, args, gives }) => {
    const outcome = await ask({ helm, registry: upstream.host, folder }, args)
    answers.set(title, outcome)
    if (gives instanceof RegExp) {
      expect(outcome.stdout + outcome.stderr).toMatch(gives)
      return
    }
    const name = `alertmanager-${gives}.tgz`
    const made = added.includes(gives)
    expect(outcome.files).toEqual(await digestsOf([made ? join(folder, name) : chartFile(name)]))
  })

  givesTheSame('through the daemon')

  test.each(helms)('%s is told that there is no version 1.40, which it takes for a tag', async (helm) => {
    const args = [...pull, '--version', '1.40']
    const direct = await ask({ helm, registry: upstream.host, folder }, args)
    expect(direct.stderr).toContain('REGISTRY/charts/alertmanager:1.40: not found')
    expect(await ask({ helm, registry: `${daemon.host}/plain`, folder }, args)).toEqual(direct)
  })

  test.each(helms)('%s names a chart by what it asked for, where the daemon takes partial versions', async (helm) => {
    const own = await startDaemon({ config: knowing(upstream, { versionRanges: 'partials' }) })
    try {
      const { files } = await ask({ helm, registry: `${own.host}/plain`, folder }, [...pull, '--version', '1.41'])
      const [digest] = Object.values(await digestsOf([chartFile('alertmanager-1.41.1.tgz')]))
      expect(files).toEqual({ 'alertmanager-1.41.tgz': digest })
    } finally {
      await own.stop()
    }
  })

  describe('after the upstream was stopped', () => {
    beforeAll(() => upstream.stop())
    givesTheSame('through the daemon')
  })

  function givesTheSame(where: string): void {
    test.each(cases)(`%s: the same ${where}`, async (title, { helm, args }) => {
      expect(await ask({ helm, registry: `${daemon.host}/plain`, folder }, args)).toEqual(answers.get(title))
    })
  }
})
