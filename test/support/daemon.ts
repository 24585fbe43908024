/** The real daemon as its users start it: a process of its own, on a free port, with its own data folder. */
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Running, start } from './process.ts'

export interface Daemon {
  /** `http://127.0.0.1:port`. */
  readonly url: string
  /** `127.0.0.1:port`. */
  readonly host: string
  /** Its data folder. */
  readonly data: string
  readonly pid: number
  log(): string
  /** False from the moment when the process has ended. */
  running(): boolean
  /** Ends it as a supervisor would; removes its folders unless `data` was given. Idempotent. */
  stop(): Promise<void>
  /** SIGKILL; leaves the data folder as it is. */
  kill(): Promise<void>
}

export interface DaemonOptions {
  /** Written as the configuration file: text as it is, an object as JSON (which is YAML). */
  config?: string | Record<string, unknown>
  /** More flags. */
  args?: string[]
  env?: Record<string, string>
  /** A data folder to keep, as for a restart; a temporary one by default. */
  data?: string
  /** A port to listen on again; a free one by default. */
  port?: number
  /** ms until it must be ready; default 20,000. */
  within?: number
}

const root = join(import.meta.dirname, '..', '..')
/** As the launcher starts it (bin/entrepot.js). */
const nodeFlags = ['--disable-proto=throw', '--disallow-code-generation-from-strings', '--max-old-space-size=256']

/** @throws with its log when it ends, or is not ready in time */
export async function startDaemon(options: DaemonOptions = {}): Promise<Daemon> {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-'))
  const data = options.data ?? join(folder, 'data')
  const config = join(folder, 'config.yaml')
  await writeFile(config, typeof options.config === 'string' ? options.config : JSON.stringify(options.config ?? {}), {
    mode: 0o600,
  })
  const host = `127.0.0.1:${options.port ?? (await freePort())}`
  const flags = ['--config', config, '--listen', host, '--data', data, ...(options.args ?? [])]
  const env = { ...(await emptyHome(folder)), ...options.env }
  const daemon = await start(process.execPath, [...nodeFlags, join(root, 'src', 'main.ts'), ...flags], { env })
  const stop = async (signal: 'SIGTERM' | 'SIGKILL') => {
    await daemon.stop(signal)
    const holdsData = options.data === undefined
    await rm(holdsData && signal === 'SIGKILL' ? config : folder, { recursive: true, force: true })
  }
  try {
    await ready(`http://${host}/readyz`, daemon, options.within ?? 20_000)
  } catch (error) {
    await stop('SIGTERM')
    throw error
  }
  return {
    url: `http://${host}`,
    host,
    data,
    pid: daemon.pid,
    log: daemon.output,
    running: daemon.running,
    stop: () => stop('SIGTERM'),
    kill: () => stop('SIGKILL'),
  }
}

/** The newest lines of its log, for the output of a test that failed. */
export function logTail(daemon: Daemon | undefined, lines = 15): string {
  return (daemon?.log() ?? 'there is no daemon').trimEnd().split('\n').slice(-lines).join('\n')
}

/** Nothing of the user's own configuration and credentials reaches a daemon under test. */
async function emptyHome(folder: string): Promise<Record<string, string>> {
  const home = join(folder, 'home')
  await mkdir(home)
  return { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, XDG_RUNTIME_DIR: home, DOCKER_CONFIG: home }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

async function ready(url: string, daemon: Running, within: number): Promise<void> {
  const deadline = performance.now() + within
  while (daemon.running()) {
    const status = await statusOf(url)
    if (status === 200) return
    if (performance.now() > deadline) {
      throw new Error(`not ready after ${within} ms (${url}: ${status ?? 'no answer'}):\n${daemon.output()}`)
    }
    await setTimeout(20)
  }
  throw new Error(`the daemon ended before it was ready:\n${daemon.output()}`)
}

async function statusOf(url: string): Promise<number | undefined> {
  try {
    const response = await fetch(url)
    await response.arrayBuffer()
    return response.status
  } catch {
    return undefined
  }
}
