/** The configuration files and commands of docs/clients.md as they stand there, against a daemon on another port. */
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { contentTools, createPusher, type Pusher, selections } from '../support/content.ts'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { run } from '../support/process.ts'
import { missingTools, type Tool, toolPath } from '../support/tools.ts'
import { startDistribution, type TestUpstream } from '../support/upstreams.ts'
import { openContainerd } from './containerd.ts'
import type { ClientStore } from './clients.ts'

const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'clients.md'), 'utf8')
const tested = [...page.matchAll(/^## ([^\n]*) \(tested[^\n]*\)\n(.*?)(?=^## |$(?![\s\S]))/gms)]
const sections = tested.map(([, title = '', text = '']) => ({ title, commands: blocks(text, 'sh').join('') }))
const tools: Tool[] = ['crane', 'oras', 'regctl', 'cosign', 'ctr', 'skopeo', 'podman']
const missing = missingTools('distribution', 'containerd', 'helm3', ...contentTools, ...tools)
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const isRoot = process.getuid?.() === 0

let folder: string
let upstream: TestUpstream
let pusher: Pusher
let daemon: Daemon
let containerd: ClientStore

describe.skipIf(missing.length > 0 || !isRoot)(`docs/clients.md${isRoot ? hint : ' (containerd needs root)'}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-docs-'))
    upstream = await startDistribution()
    pusher = await createPusher([upstream])
    await publish()
    daemon = await startDaemon({ config: { upstreams: { 'ghcr.io': { url: upstream.url } }, dockerConfig: 'off' } })
    containerd = await openContainerd(join(folder, 'containerd'))
    await prepareFiles()
  }, 120_000)

  afterAll(async () => {
    await containerd?.close()
    await daemon?.stop()
    await upstream?.stop()
    await pusher?.close()
    await rm(folder, { recursive: true, force: true })
  })

  test('has commands of every client that it calls tested', () => {
    expect(sections.map(({ commands }) => commands.split(' ')[0])).toEqual([
      'ctr',
      'podman',
      'helm',
      'helm',
      'crane',
      'oras',
      'regctl',
      'cosign',
    ])
  })

  test.each(sections)('the commands for $title work', async ({ title, commands }) => {
    onTestFailed(() => console.log(logTail(daemon)))
    const own = join(folder, title.replaceAll(/\W+/g, '-'))
    await mkdir(own)
    await cp(pusher.publicKey, join(own, 'cosign.pub'))
    await writeFile(join(own, 'config.json'), '{}')
    await mkdir(join(own, '.config/containers'), { recursive: true })
    await cp(
      join(folder, 'etc/containers/registries.conf.d/entrepot.conf'),
      join(own, '.config/containers/registries.conf'),
    )
    const done = run('sh', ['-euxc', here(commands)], { cwd: own, env: environment(own, title) })
    await expect(done).resolves.toBeTypeOf('string')
  })
})

/** The content under the names that the page uses. */
async function publish(): Promise<void> {
  const [selection] = selections
  if (!selection) throw new Error('no selection of content')
  await pusher.push(upstream, selection)
  const names = { 'library/app': 'app', 'library/multi': 'multi', [`team/${selection.chart}`]: 'charts/alertmanager' }
  for (const [from, to] of Object.entries(names)) {
    const [source, target] = [`${upstream.host}/${from}`, `${upstream.host}/example/${to}`]
    await run(toolPath('crane'), ['copy', '--all-tags', source, target])
  }
}

/** The page's files at their places, below our folder instead of /. */
async function prepareFiles(): Promise<void> {
  const files = blocks(page, 'toml').flatMap((text) => {
    const path = /^# (\/\S+)\n/.exec(text)?.[1]
    return path === undefined ? [] : [{ path: join(folder, path), text }]
  })
  for (const { path, text } of files) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, here(text))
  }
  const storage = `[storage]\ndriver = "vfs"\ngraphroot = "${folder}/podman"\nrunroot = "${folder}/podman-run"\n`
  await writeFile(join(folder, 'storage.conf'), storage)
  for (const version of ['3', '4'] as const) await programs(version)
}

/** A folder for PATH in which every tool has its usual name. */
async function programs(helm: '3' | '4'): Promise<void> {
  const bin = join(folder, `bin-${helm}`)
  await mkdir(bin)
  for (const tool of tools) await symlink(toolPath(tool), join(bin, tool))
  await symlink(toolPath(`helm${helm}`), join(bin, 'helm'))
}

function environment(home: string, title: string): Record<string, string> {
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CACHE_HOME', 'XDG_DATA_HOME']
  return {
    ...Object.fromEntries(names.map((name) => [name, home])),
    XDG_CONFIG_HOME: join(home, '.config'),
    PATH: [join(folder, title === 'Helm 3' ? 'bin-3' : 'bin-4'), process.env['PATH']].join(delimiter),
    CONTAINERD_ADDRESS: join(folder, 'containerd', 'sock'),
    CONTAINERD_SNAPSHOTTER: 'native',
    CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf'),
  }
}

function here(text: string): string {
  return text
    .replaceAll('localhost:5000', daemon.host.replace('127.0.0.1', 'localhost'))
    .replaceAll('/etc/containerd/certs.d', join(folder, 'etc/containerd/certs.d'))
}

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp('^```' + language + '\\n(.*?)^```$', 'gms'))].map((match) => match[1] ?? '')
}
