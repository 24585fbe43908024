/** docs/version-ranges.md as it stands: its commands, in order, against the real tags of Docker Hub's node; `…` stands for what changes. */
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Daemon, startDaemon } from '../support/daemon.ts'
import { run } from '../support/process.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { missingTools, toolPath } from '../support/tools.ts'
import { putImage } from './cli.ts'

const root = join(import.meta.dirname, '..', '..')
const page = await readFile(join(root, 'docs', 'version-ranges.md'), 'utf8')
const steps = [...page.matchAll(/^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?/gms)].map(
  ([, commands = '', output = '']) => ({ commands, output }),
)
const [list = ''] = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text)
const missing = missingTools('crane')
const hint = missing.length > 0 ? ' (crane is not installed; run test/clients/install)' : ''

let folder: string
let upstream: ScriptedRegistry
let daemon: Daemon

describe.skipIf(missing.length > 0)(`docs/version-ranges.md${hint}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-docs-'))
    upstream = await startScriptedRegistry()
    await publishNode()
    const config = { upstreams: { 'docker.io': { url: upstream.url } }, dockerConfig: 'off' }
    daemon = await startDaemon({ config, data: join(folder, 'data') })
    await writeFile(join(folder, 'versions.yaml'), list)
    await programs()
  }, 60_000)

  afterAll(async () => {
    await daemon?.stop()
    await upstream?.close()
    await rm(folder, { recursive: true, force: true })
  })

  it('has commands and answers', () => {
    expect(steps.length).toBeGreaterThan(6)
  })

  it.each(steps)('does what it says: $commands', async ({ commands, output }) => {
    const env = { PATH: [join(folder, 'bin'), process.env['PATH']].join(delimiter), HOME: folder }
    const port = daemon.host.replace('127.0.0.1', 'localhost')
    const printed = await run('sh', ['-euc', commands.replaceAll('localhost:5000', port)], { cwd: folder, env })
    expect(printed.replaceAll('\r', '').trim()).toMatch(patternOf(output.trim()))
  })
})

function patternOf(output: string): RegExp {
  const parts = output.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('[^\\s"]+')}$`)
}

async function publishNode(): Promise<void> {
  const tags = (await readFile(join(root, 'test', 'data', 'tags', 'node.txt'), 'utf8')).split('\n').filter(Boolean)
  for (const tag of tags) putImage(upstream, 'library/node', tag, `layer of ${tag}`)
}

async function programs(): Promise<void> {
  const bin = join(folder, 'bin')
  await mkdir(bin)
  await symlink(toolPath('crane'), join(bin, 'crane'))
  const entrepot = join(bin, 'entrepot')
  const main = join(root, 'src', 'main.ts')
  await writeFile(entrepot, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@" --data '${daemon.data}'\n`)
  await chmod(entrepot, 0o755)
}
