/**
 * Real charts, pushed to an upstream by Helm, pulled through the daemon and compared byte by byte; then again without the upstream.
 * The charts of test/data, or those of the folder ENTREPOT_TEST_CHARTS.
 */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { chartFolder } from '../support/content.ts'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { run } from '../support/process.ts'
import { missingTools, toolPath } from '../support/tools.ts'
import { startDistribution, type TestUpstream } from '../support/upstreams.ts'

const folder = process.env['ENTREPOT_TEST_CHARTS'] ?? chartFolder
const files = (await readdir(folder)).filter((file) => file.endsWith('.tgz'))
if (files.length === 0) throw new Error(`there are no charts in ${folder}`)
const missing = missingTools('distribution', 'helm4')
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const atOnce = 2

let upstream: TestUpstream
let daemon: Daemon
let home: string

describe.skipIf(missing.length > 0)(`${files.length} real charts${hint}`, () => {
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'entrepot-charts-'))
    upstream = await startDistribution()
    await eachChart((file) => helm('push', join(folder, file), `oci://${upstream.host}/charts`))
    const entry = { alias: 'plain', url: upstream.url }
    daemon = await startDaemon({ config: { upstreams: { 'plain.test:5001': entry }, dockerConfig: 'off' } })
  }, 240_000)

  beforeEach(() => onTestFailed(() => console.log(logTail(daemon))))

  afterAll(async () => {
    await daemon?.stop()
    await upstream?.stop()
    await rm(home, { recursive: true, force: true })
  })

  test('come through the daemon as they were pushed', async () => {
    expect(await pullAll('through')).toEqual([])
  }, 240_000)

  describe('after the upstream was stopped', () => {
    beforeAll(() => upstream.stop())
    test('come from the daemon as they were pushed', async () => {
      expect(await pullAll('stopped')).toEqual([])
    }, 240_000)
  })
})

/** The charts that came with other bytes. */
async function pullAll(into: string): Promise<string[]> {
  const destination = join(home, into)
  const different: string[] = []
  await mkdir(destination)
  await eachChart(async (file) => {
    const [, name = '', version = ''] = /^(.+?)-(\d.*)\.tgz$/.exec(file) ?? []
    const chart = `oci://${daemon.host}/plain/charts/${name}`
    await helm('pull', chart, '--version', version, '--destination', destination)
    const [got, pushed] = await Promise.all([readFile(join(destination, file)), readFile(join(folder, file))])
    if (!got.equals(pushed)) different.push(file)
  })
  return different
}

async function eachChart(work: (file: string) => Promise<unknown>): Promise<void> {
  const waiting = [...files]
  const worker = async () => {
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) await work(file)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

function helm(command: 'push' | 'pull', ...args: string[]): Promise<string> {
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME']
  const env = Object.fromEntries(names.map((name) => [name, home]))
  return run(toolPath('helm4'), [command, '--plain-http', ...args], { env })
}
