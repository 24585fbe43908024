/**
 * Artifacts whose clients take what they want and leave the rest: Helm a chart's provenance, oras the empty config and what is
 * attached to an image. What was pulled once must come again without the upstream, and offline.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { chartFolder } from '../support/content.ts'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { run } from '../support/process.ts'
import { missingTools, toolPath } from '../support/tools.ts'
import { startDistribution, type TestUpstream } from '../support/upstreams.ts'

const missing = missingTools('distribution', 'helm3', 'helm4', 'oras')
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const chart = 'alertmanager-1.38.3.tgz'

let upstream: TestUpstream
let daemon: Daemon
let home: string
let data: string
let turns = 0

describe.skipIf(missing.length > 0)(`artifacts of which clients leave parts${hint}`, () => {
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'entrepot-artifacts-'))
    data = join(home, 'data')
    upstream = await startDistribution()
    await copyFile(join(chartFolder, chart), join(home, chart))
    await writeFile(join(home, `${chart}.prov`), 'a provenance')
    await tool('helm4', 'push', '--plain-http', join(home, chart), `oci://${upstream.host}/charts`)
    await writeFile(join(home, 'file.txt'), 'a file')
    await oras('push', '--plain-http', `${upstream.host}/files/one:v1`, 'file.txt')
    await oras('attach', '--plain-http', '--artifact-type', 'a/b', `${upstream.host}/files/one:v1`, 'file.txt')
    daemon = await start()
  }, 60_000)

  beforeEach(() => onTestFailed(() => console.log(logTail(daemon))))

  afterAll(async () => {
    await daemon?.stop()
    await upstream?.stop()
    await rm(home, { recursive: true, force: true })
  })

  test('come through the daemon', pullThem)

  describe('after the upstream was stopped', () => {
    beforeAll(() => upstream.stop())
    test('come from the daemon', pullThem)

    test('come from the daemon offline', async () => {
      await daemon.stop()
      daemon = await start('--offline')
      await pullThem()
      expect(await oras('repo', 'tags', '--plain-http', `${daemon.host}/plain/charts/alertmanager`)).toContain('1.38.3')
    })
  })
})

async function pullThem(): Promise<void> {
  for (const helm of ['helm3', 'helm4'] as const) {
    const into = await emptyFolder()
    const flags = ['--plain-http', '--version', '1.38.3', '--destination', into]
    await tool(helm, 'pull', `oci://${daemon.host}/plain/charts/alertmanager`, ...flags)
    expect((await readFile(join(into, chart))).equals(await readFile(join(chartFolder, chart)))).toBe(true)
  }
  const into = await emptyFolder()
  await oras('pull', '--plain-http', '--output', into, `${daemon.host}/plain/files/one:v1`)
  expect(await readFile(join(into, 'file.txt'), 'utf8')).toBe('a file')
  expect(await oras('discover', '--depth', '1', '--plain-http', `${daemon.host}/plain/files/one:v1`)).toContain('a/b')
}

function start(...args: string[]): Promise<Daemon> {
  const entry = { alias: 'plain', url: upstream.url }
  const config = { upstreams: { 'plain.test:5001': entry }, dockerConfig: 'off', freshFor: '1ms' }
  return startDaemon({ config, data, args })
}

async function emptyFolder(): Promise<string> {
  const folder = join(home, `into-${(turns += 1)}`)
  await mkdir(folder)
  return folder
}

function oras(...args: string[]): Promise<string> {
  return tool('oras', ...args)
}

function tool(name: 'oras' | 'helm3' | 'helm4', ...args: string[]): Promise<string> {
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME']
  const env = Object.fromEntries(names.map((variable) => [variable, home]))
  return run(toolPath(name), args, { env, cwd: home })
}
