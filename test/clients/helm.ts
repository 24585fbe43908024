/** Helm 3 and Helm 4 as their users run them, each command with nothing cached, and what a command left behind. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { chartFolder } from '../support/content.ts'
import type { JsonObject } from '../support/kubernetes-patch.ts'
import { run } from '../support/process.ts'
import { toolPath } from '../support/tools.ts'
import type { TestUpstream } from '../support/upstreams.ts'

export const helms = ['helm3', 'helm4'] as const
export type Helm = (typeof helms)[number]

/** Commands that may ask a registry: Helm 4 must be told that it speaks plain HTTP, Helm 3 finds out. */
const pulling = new Set(['dependency', 'install', 'pull', 'show', 'template', 'upgrade'])

/** Paths of charts: those of test/data, or those of the folder ENTREPOT_TEST_CHARTS. */
export const charts = await filesBelow(process.env['ENTREPOT_TEST_CHARTS'] ?? chartFolder)

export interface Asking {
  helm: Helm
  /** What `REGISTRY` in arguments stands for: `localhost:port/alias`, or `localhost:port` without the daemon. */
  registry: string
  /** Where Helm's homes are made, a new one for each command. */
  folder: string
  /** Of the cluster; without it Helm knows none. */
  kubeconfig?: string
}

export interface Outcome {
  /** 0, or what Helm ended with. */
  code: number | string
  /** As they came, but for the registry's address, which is `REGISTRY` again. */
  stdout: string
  stderr: string
  /** SHA-256 by name of the files that were written. */
  files: Record<string, string>
}

/** Runs a command in a new, empty working folder, or in `cwd`. A failure is an outcome too. */
export async function ask(asking: Asking, args: string[], cwd?: string): Promise<Outcome> {
  const home = await mkdtemp(join(asking.folder, `${asking.helm}-`))
  const work = cwd ?? join(home, 'work')
  await mkdir(work, { recursive: true })
  const filled = args.map((argument) => argument.replace('REGISTRY', asking.registry))
  const flags = asking.helm === 'helm4' && pulling.has(args[0] ?? '') ? ['--plain-http'] : []
  const env = { ...homeOf(home), KUBECONFIG: asking.kubeconfig ?? join(home, 'none') }
  const { code, stdout, stderr } = await execute(toolPath(asking.helm), [...filled, ...flags], env, work)
  const plain = (text: string) => text.replaceAll(asking.registry, 'REGISTRY')
  return { code, stdout: plain(stdout), stderr: plain(stderr), files: await digestsOf(await filesBelow(work)) }
}

/** Pushes charts, two at a time, to `/charts`. */
export async function pushCharts(upstream: TestUpstream, files: string[], folder: string): Promise<void> {
  const waiting = [...files]
  const worker = async () => {
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      const args = ['push', '--plain-http', file, `oci://${upstream.host}/charts`]
      await run(toolPath('helm4'), args, { env: homeOf(folder) })
    }
  }
  await Promise.all([worker(), worker()])
}

/** Another version of a chart that is there. @returns its file, `folder/<name>-<version>.tgz` */
export async function repackage(chart: string, version: string, folder: string): Promise<string> {
  const unpacked = await mkdtemp(join(folder, 'unpacked-'))
  await run('tar', ['-xzf', chart, '-C', unpacked])
  const [name = ''] = await readdir(unpacked)
  const args = ['package', join(unpacked, name), '--version', version, '--destination', folder]
  await run(toolPath('helm4'), args, { env: homeOf(folder) })
  return join(folder, `${name}-${version}.tgz`)
}

/** @throws when there is no such chart */
export function chartFile(name: string): string {
  const found = charts.find((file) => basename(file) === name)
  if (found === undefined) throw new Error(`there is no chart ${name}`)
  return found
}

export async function digestsOf(files: string[]): Promise<Record<string, string>> {
  const entries = files.map(async (file) => {
    const digest = createHash('sha256').update(await readFile(file))
    return [basename(file), digest.digest('hex')] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

/** The files in a folder, without those of folders in it. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(folder, entry.name))
}

/** The configuration that knows an upstream as `plain`. */
export function knowing(upstream: TestUpstream, settings: JsonObject = {}): JsonObject {
  return { upstreams: { 'plain.test:5001': { alias: 'plain', url: upstream.url } }, dockerConfig: 'off', ...settings }
}

/** Keeps every cache, credential and cluster of the user away. */
function homeOf(folder: string): Record<string, string> {
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME']
  return Object.fromEntries(names.map((name) => [name, folder]))
}

type Ended = Pick<Outcome, 'code' | 'stdout' | 'stderr'>

function execute(command: string, args: string[], env: Record<string, string>, cwd: string): Promise<Ended> {
  const options = { env: { ...process.env, ...env }, cwd, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 }
  return new Promise((resolve) => {
    execFile(command, args, options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? error?.signal ?? 0, stdout, stderr })
    })
  })
}
