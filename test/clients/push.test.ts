/** Every client pushes into hosted repositories; what it pushed is read back whole over bare HTTP, and pushed again. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { run, transcript } from '../support/process.ts'
import { missingTools, type Tool, toolPath } from '../support/tools.ts'
import { type Pusher, pushers, type PushUse } from './pushers.ts'
import { aligned, mark } from './table.ts'

type Step = 'pushed' | 'read back whole' | 'again, nothing uploaded'

const lacking = missingTools('crane')
const results = new Map<string, boolean>()
const steps: Step[] = ['pushed', 'read back whole', 'again, nothing uploaded']

let folder: string
let daemon: Daemon
let layout: string
let imageDigest: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'entrepot-pushes-'))
  if (lacking.length > 0) return
  daemon = await startDaemon({ config: { dockerConfig: 'off', logLevel: 'debug' } })
  layout = join(folder, 'layout')
  imageDigest = await makeImage()
}, 60_000)

afterAll(async () => {
  console.log(`Clients that push:\n\n${table()}\n`)
  await daemon?.stop()
  await rm(folder, { recursive: true, force: true })
}, 60_000)

describe.each(pushers)('$client', (pusher) => {
  const reason = unreachable(pusher)
  test.skipIf(reason !== undefined)(
    `pushes: ${pusher.what}${reason === undefined ? '' : ` (${reason})`}`,
    async () => {
      onTestFailed(() => console.log(logTail(daemon)))
      for (const step of stepsOf(pusher)) record(pusher, step, false)
      const use = await useFor(pusher)
      const pushed = await pusher.push(use)
      record(pusher, 'pushed', true)
      expect(await digestAt(pushed.repository, pushed.tag ?? pushed.digest)).toBe(pushed.digest)
      await readWhole(pushed.repository, pushed.digest)
      record(pusher, 'read back whole', true)
      if (pusher.repeats === false) return
      const before = uploads()
      expect(await pusher.push(use)).toEqual(pushed)
      expect(uploads() - before).toBe(0)
      record(pusher, 'again, nothing uploaded', true)
    },
    120_000,
  )
})

const untested = pushers.filter((pusher) => unreachable(pusher) !== undefined)
test.skipIf(untested.length > 0)('docs/conformance.md shows this table', async () => {
  const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'conformance.md'), 'utf8')
  expect(page).toContain(table())
})

function unreachable({ tools }: Pusher): string | undefined {
  const missing = [...new Set([...lacking, ...missingTools(...tools)])]
  if (missing.length > 0) return `not installed: ${missing.join(', ')}; run test/clients/install`
  return tools.includes('containerd') && process.getuid?.() !== 0 ? 'containerd needs root' : undefined
}

async function useFor(pusher: Pusher): Promise<PushUse> {
  const own = join(folder, String(pushers.indexOf(pusher)))
  await mkdir(join(own, 'home'), { recursive: true })
  await writeFile(join(own, 'home', 'config.json'), '{}')
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_RUNTIME_DIR']
  const env = { ...Object.fromEntries(names.map((name) => [name, join(own, 'home')])), COSIGN_PASSWORD: 'test' }
  const tool = (name: Tool, ...args: string[]) => transcript(toolPath(name), args, { env, cwd: own })
  const repository = `local/push-${pushers.indexOf(pusher)}`
  return { host: daemon.host, repository, folder: own, source: source(), layout, imageDigest, tool }
}

function source(): string {
  return `${daemon.host}/local/source:1.0`
}

/** Two layers, one of them too large to be kept inline, as an OCI layout. */
async function makeImage(): Promise<string> {
  const layers = []
  for (const [name, size] of [
    ['small', 10],
    ['large', 3_000_000],
  ] as const) {
    await writeFile(join(folder, name), Buffer.alloc(size, name))
    const tar = join(folder, `${name}.tar`)
    await run('tar', ['--sort=name', '--mtime=@0', '-C', folder, '-cf', tar, name])
    layers.push(tar)
  }
  const reference = source()
  const crane = (...args: string[]) => run(toolPath('crane'), args)
  await crane('append', '--oci-empty-base', '-f', layers.join(), '-t', reference)
  await crane('mutate', reference, '--set-platform', 'linux/amd64', '-t', reference)
  await crane('pull', '--format=oci', reference, layout)
  return (await crane('digest', reference)).trim()
}

/** Sessions that were opened since the start. */
function uploads(): number {
  return daemon.log().match(/"method":"POST","kind":"uploads"[^\n]*"status":202/g)?.length ?? 0
}

async function digestAt(repository: string, reference: string): Promise<string | null> {
  const response = await fetch(`${daemon.url}/v2/${repository}/manifests/${reference}`, { method: 'HEAD' })
  return response.headers.get('docker-content-digest')
}

/** The manifest, and all that it names: every byte has its digest. */
async function readWhole(repository: string, digest: string): Promise<void> {
  const manifest: unknown = JSON.parse((await content(`${repository}/manifests/${digest}`, digest)).toString())
  for (const child of descriptorsIn(manifest)) await content(`${repository}/blobs/${child}`, child)
}

async function content(path: string, digest: string): Promise<Buffer> {
  const response = await fetch(`${daemon.url}/v2/${path}`)
  const bytes = Buffer.from(await response.arrayBuffer())
  expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(digest)
  return bytes
}

function descriptorsIn(manifest: unknown): string[] {
  return [...JSON.stringify(pick(manifest)).matchAll(/"digest":"(sha256:[0-9a-f]{64})"/g)].map(
    ([, digest = '']) => digest,
  )
}

function pick(manifest: unknown): unknown {
  if (typeof manifest !== 'object' || manifest === null) throw new TypeError('no manifest')
  return [Reflect.get(manifest, 'config'), Reflect.get(manifest, 'layers')]
}

function stepsOf({ repeats }: Pusher): Step[] {
  return repeats === false ? steps.filter((step) => step !== 'again, nothing uploaded') : steps
}

function record({ client, what }: Pusher, step: Step, result: boolean): void {
  results.set([client, what, step].join('\n'), result)
}

function table(): string {
  const rows = pushers.map(({ client, what }) => [
    client,
    what,
    ...steps.map((step) => mark(results.get([client, what, step].join('\n')))),
  ])
  return aligned([['client', 'what', ...steps], ...rows])
}
