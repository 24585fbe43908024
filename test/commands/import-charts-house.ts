/** A chart repository, and the command run against it, in a process of its own that has the data directory, or beside a daemon. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { chart } from '../charts/archives.ts'
import { type ChartServer, startChartServer } from '../charts/server.ts'
import { type Daemon, startDaemon } from '../support/daemon.ts'
import { type Running, start } from '../support/process.ts'
import type { Ended } from './cli.ts'

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

export interface House {
  server: ChartServer
  home: string
  /** What the command prints; `--json` is asked for where `outcome` is taken. */
  run(...args: string[]): Promise<Ended>
  runWith(stdin: string, ...args: string[]): Promise<Ended>
  /** The command while it runs. */
  begin(...args: string[]): Promise<Running>
  outcome(...args: string[]): Promise<Outcome>
  /** A daemon on the same data directory, so that what was imported can be looked at. */
  serve(): Promise<Daemon>
}

interface Remark {
  name: string
  version: string
  reason: string
}

interface Outcome {
  code: number | null
  chosen: number
  imported: number
  there: number
  others: number
  untried: number
  bytes: number
  leftOut: Remark[]
  notes: Remark[]
}

/** @param charts `name-version` of each, in the index */
export async function openHouse(charts: string[], config: Record<string, unknown> = {}): Promise<House> {
  const server = await startChartServer()
  for (const one of charts) {
    const [, name = '', version = ''] = /^(.+?)-(v?\d.*)$/.exec(one) ?? []
    server.put(name, version, chart(name, version))
  }
  server.index()
  const home = await mkdtemp(join(tmpdir(), 'entrepot-import-'))
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  const file = join(home, 'config.yaml')
  await writeFile(file, JSON.stringify({ dockerConfig: 'off', ...config }), { mode: 0o600 })
  const env = { HOME: home, TMPDIR: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, DOCKER_CONFIG: home }
  const data = join(home, 'data')
  const argv = (args: string[]) => {
    const address = args.some((arg) => arg.includes('://') && !arg.startsWith('oci://localhost')) ? [] : [server.url]
    return [main, 'import-charts', ...address, ...args, '--config', file, '--data', data]
  }
  const runWith = async (stdin: string, ...args: string[]) => {
    const child = spawn(process.execPath, argv(args), { env: { ...process.env, ...env }, cwd: home, stdio: 'pipe' })
    child.stdin.on('error', () => {}).end(stdin)
    const closed = once(child, 'close')
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
    await closed
    return { code: child.exitCode, stdout, stderr }
  }
  return {
    server,
    home,
    runWith,
    run: (...args) => runWith('', ...args),
    async begin(...args) {
      const running = await start(process.execPath, argv(args), { env, cwd: home })
      onTestFinished(() => running.stop('SIGKILL'))
      return running
    },
    async outcome(...args) {
      const { code, stdout, stderr } = await runWith('', ...args, '--json')
      if (stdout === '') throw new Error(`no outcome (${code}): ${stderr}`)
      return { code, ...JSON.parse(stdout) }
    },
    async serve() {
      const daemon = await startDaemon({ data, config: { dockerConfig: 'off', ...config } })
      onTestFinished(() => daemon.stop())
      return daemon
    },
  }
}

/** What a tag holds, `undefined` where there is none. */
export async function held(daemon: Daemon, name: string, tag: string) {
  const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' }
  const response = await fetch(`${daemon.url}/v2/${name}/manifests/${tag}`, { headers })
  if (response.status === 404) return undefined
  const manifest = await response.text()
  const { layers, annotations } = JSON.parse(manifest) as {
    layers: { mediaType: string; digest: string }[]
    annotations: Record<string, string>
  }
  const blob = async (type: string) => {
    const layer = layers.find(({ mediaType }) => mediaType.includes(type))
    return layer && Buffer.from(await (await fetch(`${daemon.url}/v2/${name}/blobs/${layer.digest}`)).arrayBuffer())
  }
  return { manifest, annotations, archive: await blob('chart.content'), provenance: await blob('provenance') }
}
