/** Every command of docs/signatures.md, in the order of the page, exactly as it stands there but for the port. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { run } from '../support/process.ts'
import { missingTools, type Tool, toolPath } from '../support/tools.ts'
import { startDistribution, type TestUpstream } from '../support/upstreams.ts'
import { openWorkshop, subjectTools } from './signing.ts'

const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'signatures.md'), 'utf8')
const sections = [...page.matchAll(/^## ([^\n]*) \(tested\)\n(.*?)(?=^## )/gms)].map(([, title = '', text = '']) => {
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)]
  return { title, commands: blocks.map(([, block = '']) => block).join('') }
})
const throughProxy = sections.filter(({ title }) => title === 'Through the proxy')
const tools: Tool[] = ['crane', 'oras', 'regctl', 'cosign']
const missing = missingTools('distribution', ...subjectTools, ...tools)
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''

let folder: string
let upstream: TestUpstream
let daemon: Daemon

describe.skipIf(missing.length > 0)(`docs/signatures.md${hint}`, { timeout: 120_000 }, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-signed-docs-'))
    upstream = await startDistribution()
    daemon = await start(undefined)
    const workshop = await openWorkshop(folder)
    await workshop.push('image', daemon.host, 'local/app')
    await workshop.push('image', upstream.host, 'example/app')
    await mkdir(join(folder, 'bin'))
    for (const tool of tools) await symlink(toolPath(tool), join(folder, 'bin', tool))
  }, 120_000)

  beforeEach(() => onTestFailed(() => console.log(logTail(daemon))))

  afterAll(async () => {
    await daemon?.stop()
    await upstream?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('has the sections that are run here', () => {
    expect(sections.map(({ title, commands }) => [title, commands !== ''])).toEqual([
      ['Keys for cosign', true],
      ['Sign and attest on hosted repositories', true],
      ['Verify on hosted repositories', true],
      ['oras on hosted repositories', true],
      ['regctl on hosted repositories', true],
      ['Through the proxy', true],
      ['Take an image with its signatures into a hosted repository', true],
    ])
  })

  test.each(sections)('the commands of "$title" work', async ({ title, commands }) => {
    await sh(commands)
    // From here on there is a key, with which somebody else signs at the upstream.
    if (title.startsWith('Keys')) await signUpstream()
  })

  describe('after the upstream was stopped', () => {
    beforeAll(() => upstream.stop())
    test.each(throughProxy)('the commands of "$title" work', ({ commands }) => sh(commands))
  })

  describe('offline', () => {
    beforeAll(async () => {
      await daemon.stop()
      // On the same port: clients remember what they were told of a host.
      daemon = await start(Number(new URL(daemon.url).port), '--offline')
    })
    test.each(throughProxy)('the commands of "$title" work', ({ commands }) => sh(commands))
  })
})

/** As the page signs and attaches, but directly at the upstream. */
async function signUpstream(): Promise<void> {
  const made = sections.filter(({ title }) => /^(?:Sign and attest|oras) on hosted/.test(title))
  const commands = made.map(({ commands: text }) =>
    text.replaceAll('localhost:5000/local/', `${upstream.host}/example/`),
  )
  await sh(commands.join(''))
}

function start(port: number | undefined, ...args: string[]): Promise<Daemon> {
  const config = { upstreams: { 'ghcr.io': { url: upstream.url } }, dockerConfig: 'off', freshFor: '1ms' }
  return startDaemon({ config, args, port, data: join(folder, 'data') })
}

/** One shell a section, as a reader has it who copies all of it. */
async function sh(commands: string): Promise<void> {
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME']
  const env = {
    ...Object.fromEntries(names.map((name) => [name, folder])),
    COSIGN_PASSWORD: 'test',
    PATH: [join(folder, 'bin'), process.env['PATH']].join(delimiter),
  }
  const file = join(folder, 'commands.sh')
  await writeFile(file, commands.replaceAll('localhost:5000', daemon.host.replace('127.0.0.1', 'localhost')))
  await run('sh', ['-eux', file], { cwd: folder, env, timeout: 120_000 })
}
