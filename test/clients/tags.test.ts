/** Real tag lists of Docker Hub repositories, of up to 9,042 tags, as four clients list them through the daemon. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { tagFolder } from '../support/content.ts'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { run } from '../support/process.ts'
import { missingTools, type Tool, toolPath } from '../support/tools.ts'
import { startDistribution, type TestUpstream } from '../support/upstreams.ts'

const commands: { tool: Tool; args: (host: string, name: string) => string[] }[] = [
  { tool: 'crane', args: (host, name) => ['ls', `${host}/${name}`] },
  { tool: 'oras', args: (host, name) => ['repo', 'tags', '--plain-http', `${host}/${name}`] },
  { tool: 'regctl', args: (host, name) => ['--host', `reg=${host},tls=disabled`, 'tag', 'ls', `${host}/${name}`] },
  { tool: 'skopeo', args: (host, name) => ['list-tags', '--tls-verify=false', `docker://${host}/${name}`] },
]
const missing = missingTools('distribution', ...commands.map(({ tool }) => tool))
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const repositories = (await readdir(tagFolder)).map((file) => basename(file, '.txt'))

let upstream: TestUpstream
let daemon: Daemon
let home: string

describe.skipIf(missing.length > 0)(`real tag lists${hint}`, () => {
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'entrepot-tags-'))
    upstream = await startDistribution()
    for (const repository of repositories) await publish(repository)
    const entry = { alias: 'plain', url: upstream.url }
    daemon = await startDaemon({ config: { upstreams: { 'plain.test:5001': entry }, dockerConfig: 'off' } })
  }, 120_000)

  beforeEach(() => onTestFailed(() => console.log(logTail(daemon))))

  afterAll(async () => {
    await daemon?.stop()
    await upstream?.stop()
    await rm(home, { recursive: true, force: true })
  })

  listings()

  describe('after the upstream was stopped', () => {
    beforeAll(() => upstream.stop())
    listings()
  })
})

function listings(): void {
  test.each(commands)('$tool lists all 9,042 tags of node', async ({ tool, args }) => {
    const list = await listed(tool, args(daemon.host, 'plain/library/node'))
    expect(differences(list, await real('node'))).toEqual([])
  })
  test.each(repositories)('crane lists all tags of %s', async (repository) => {
    const list = await listed('crane', ['ls', `${daemon.host}/plain/library/${repository}`])
    expect(differences(list, await real(repository))).toEqual([])
  })
}

/** One image, and every tag as the link to it that the registry itself would have written. */
async function publish(repository: string): Promise<void> {
  const tags = [...(await real(repository))]
  const [first = ''] = tags
  const target = `${upstream.host}/library/${repository}:${first}`
  const tar = join(home, 'file.tar')
  await writeFile(join(home, 'name'), repository)
  await run('tar', ['-C', home, '-cf', tar, 'name'])
  await run(toolPath('crane'), ['append', '--oci-empty-base', '-f', tar, '-t', target])
  const digest = (await run(toolPath('crane'), ['digest', target])).trim()
  const folder = `${upstream.storage}/docker/registry/v2/repositories/library/${repository}/_manifests/tags`
  for (const tag of tags) {
    await mkdir(join(folder, tag, 'current'), { recursive: true })
    await writeFile(join(folder, tag, 'current', 'link'), digest)
  }
}

async function listed(tool: Tool, args: string[]): Promise<Set<string>> {
  const env = { HOME: home, DOCKER_CONFIG: home, XDG_CONFIG_HOME: home }
  const printed = await run(toolPath(tool), args, { env })
  const names = tool === 'skopeo' ? skopeoTags(printed) : printed.split('\n').filter((line) => line !== '')
  const set = new Set(names)
  if (set.size !== names.length) throw new Error(`${tool} listed ${names.length - set.size} tags twice`)
  return set
}

function skopeoTags(printed: string): string[] {
  const document: unknown = JSON.parse(printed)
  const tags = typeof document === 'object' && document !== null && 'Tags' in document ? document.Tags : undefined
  return Array.isArray(tags) ? tags.map(String) : []
}

function differences(got: Set<string>, wanted: Set<string>): string[] {
  return [
    ...[...wanted.difference(got)].map((tag) => `lacks ${tag}`),
    ...[...got.difference(wanted)].map((tag) => `has ${tag}`),
  ]
}

async function real(repository: string): Promise<Set<string>> {
  const text = await readFile(join(tagFolder, `${repository}.txt`), 'utf8')
  return new Set(text.split('\n').filter((line) => line !== ''))
}
