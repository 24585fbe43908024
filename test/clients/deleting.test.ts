/** Every command of docs/deleting.md, in the order of the page, exactly as it stands there but for the port, and what it prints. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { missingTools, type Tool, toolPath } from '../support/tools.ts'
import { documentedCommandsIn, patternOf } from './helm-page/documented.ts'
import { shell } from './helm-page/shell.ts'

const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'deleting.md'), 'utf8')
const sections = page.split(/^## /m).map((text) => ({ title: text.split('\n')[0] ?? '', text }))
const documented = sections.flatMap(({ title, text }) =>
  documentedCommandsIn(text).map((command) => ({ ...command, title })),
)
const tools: Tool[] = ['crane', 'oras', 'regctl', 'cosign', 'skopeo']
const missing = missingTools(...tools)
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''

/** What the page finds: each repository with its tags, which are all of one image. */
const before = {
  'local/app': ['1.0', '1.1', 'latest', 'old'],
  'local/tool': ['1.0'],
  'local/site': ['1.0'],
  'local/web': ['1.0', 'latest'],
  'local/signed': ['1.0'],
  'local/fixed': ['v1'],
}

let folder: string
let daemon: Daemon
/** Digests of the manifests of each repository, and what hangs on them. */
const pushed = new Map<string, string[]>()

describe.skipIf(missing.length > 0)(`docs/deleting.md${hint}`, { timeout: 120_000 }, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-deleting-'))
    daemon = await startDaemon({ config: { dockerConfig: 'off', immutableTags: ['local/fixed:v*'] } })
    await mkdir(join(folder, 'bin'))
    for (const tool of tools) await symlink(toolPath(tool), join(folder, 'bin', tool))
    await pushAll()
  }, 120_000)

  afterAll(async () => {
    await daemon?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test.each(documented)('$title: $ $command', async ({ command, output }) => {
    onTestFailed(() => console.log(logTail(daemon)))
    const { code, printed } = await sh(command)
    if (output === '') expect(printed).toBe('')
    else expect(printed).toMatch(patternOf(output))
    const isRefusal = /^Error: |BLOB_UNKNOWN/m.test(output)
    expect(code === 0).toBe(!isRefusal)
  })

  test('of what the page deletes nothing is left, by tag or by digest, and of the rest all', async () => {
    const left = []
    for (const [name, digests] of pushed) {
      const url = `${daemon.url}/v2/${name}`
      for (const digest of digests) {
        const { status } = await fetch(`${url}/manifests/${digest}`)
        if (status === 200) left.push(name)
        else expect(status).toBe(404)
        const list = (await (await fetch(`${url}/referrers/${digest}`)).json()) as { manifests: unknown[] }
        expect(list.manifests).toEqual([])
      }
    }
    expect(left).toEqual(['local/fixed'])
  })

  test('an attachment stays when its image goes, and the referrers API still lists it', async () => {
    await push('local/late', ['1.0'])
    await attach('local/late')
    const { digest } = await manifestOf('local/late', '1.0')
    expect(await sh('skopeo delete --tls-verify=false docker://localhost:5000/local/late:1.0')).toMatchObject({
      code: 0,
    })
    const found = await sh(`curl --silent localhost:5000/v2/local/late/referrers/${digest}`)
    expect(JSON.parse(found.printed).manifests).toHaveLength(1)
    expect(await sh('oras discover --plain-http localhost:5000/local/late:1.0')).not.toMatchObject({ code: 0 })
  })

  test('a tag that is deleted leaves its manifest, which can be pulled by its digest', async () => {
    await push('local/untagged', ['1.0'])
    const { digest } = await manifestOf('local/untagged', '1.0')
    expect(await sh('crane delete localhost:5000/local/untagged:1.0')).toMatchObject({ code: 0 })
    expect(await sh(`crane validate --remote localhost:5000/local/untagged@${digest}`)).toMatchObject({ code: 0 })
  })

  test('an image that lost a blob is pushed whole again only when its manifest has gone too', async () => {
    await push('local/broken', ['1.0'])
    const { digest, layer } = await manifestOf('local/broken', '1.0')
    const validate = 'crane validate --remote localhost:5000/local/broken:1.0'
    expect(await sh(`oras blob delete --plain-http --force localhost:5000/local/broken@${layer}`)).toMatchObject({
      code: 0,
    })
    await push('local/broken', ['1.0'])
    expect(await sh(validate)).not.toMatchObject({ code: 0 })
    expect(await sh(`crane delete localhost:5000/local/broken@${digest}`)).toMatchObject({ code: 0 })
    await push('local/broken', ['1.0'])
    expect(await sh(validate)).toMatchObject({ code: 0 })
  })
})

async function pushAll(): Promise<void> {
  await must('regctl registry set --tls disabled localhost:5000')
  await must('cosign generate-key-pair')
  for (const [name, tags] of Object.entries(before)) await push(name, tags)
  await attach('local/signed')
  await must(
    `cosign sign --key cosign.key --yes --use-signing-config=false --tlog-upload=false --allow-http-registry localhost:5000/local/signed@$(crane digest localhost:5000/local/signed:1.0)`,
  )
  await push('local/multi', ['amd64'])
  await push('local/multi', ['arm64'], 'other')
  const parts = ['amd64', 'arm64'].map((tag) => `-m localhost:5000/local/multi:${tag}`)
  await must(`crane index append ${parts.join(' ')} -t localhost:5000/local/multi:1.0`)
  for (const tag of ['amd64', 'arm64']) await must(`crane delete localhost:5000/local/multi:${tag}`)
  const { digest } = await manifestOf('local/multi', '1.0')
  pushed.set('local/multi', [...(pushed.get('local/multi') ?? []), digest])
}

/** An image of one layer, whose only file has this content. */
async function push(name: string, tags: string[], content = 'content'): Promise<void> {
  await writeFile(join(folder, 'file'), `${content} of ${name}`)
  await must('tar --create --mtime @0 --file layer.tar file')
  for (const tag of tags) await must(`crane append --new_layer layer.tar --new_tag localhost:5000/${name}:${tag}`)
  const { digest } = await manifestOf(name, tags[0] ?? '')
  pushed.set(name, [...(pushed.get(name) ?? []), digest])
}

async function attach(name: string): Promise<void> {
  await writeFile(join(folder, 'sbom.json'), '{}')
  const what = '--artifact-type application/vnd.cyclonedx+json'
  await must(`oras attach --plain-http ${what} localhost:5000/${name}:1.0 sbom.json:application/json`)
}

async function manifestOf(name: string, tag: string): Promise<{ digest: string; layer: string }> {
  const response = await fetch(`${daemon.url}/v2/${name}/manifests/${tag}`)
  const { layers = [] } = (await response.json()) as { layers?: { digest: string }[] }
  return { digest: response.headers.get('docker-content-digest') ?? '', layer: layers[0]?.digest ?? '' }
}

/** @throws where it fails */
async function must(command: string): Promise<void> {
  const { code, printed } = await sh(command)
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${printed}`)
}

/** Both streams, as they would stand on the page. */
async function sh(command: string): Promise<{ code: number | null; printed: string }> {
  const here = daemon.host.replace('127.0.0.1', 'localhost')
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME']
  const env = {
    ...Object.fromEntries(names.map((name) => [name, folder])),
    COSIGN_PASSWORD: 'test',
    PATH: [join(folder, 'bin'), process.env['PATH']].join(delimiter),
  }
  const { code, output } = await shell(command.replaceAll('localhost:5000', here), { env, cwd: folder })
  return { code, printed: output.replaceAll(here, 'localhost:5000') }
}
