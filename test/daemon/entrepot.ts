/** The daemon as a process of its own, seen as a supervisor sees it: its exit code, its signal, its two streams. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { ScriptedRegistry } from '../support/scripted-registry.ts'

interface Ending {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface Entrepot {
  /** `http://127.0.0.1:port`; empty where the daemon ended before it served. */
  readonly url: string
  readonly pid: number
  readonly ended: Promise<Ending>
  stdout(): string
  /** Settles when the log has a line that matches. @throws when the process ends without one */
  logged(pattern: RegExp): Promise<void>
  signal(name: NodeJS.Signals): void
  /** SIGTERM, and then its ending. */
  stop(): Promise<Ending>
}

export interface EntrepotOptions {
  data: string
  /** Path of a configuration file; see `configFor`. */
  config: string
  args?: string[]
  env?: Record<string, string>
  /** What runs it: strace and the like. */
  wrapper?: string[]
}

const root = join(import.meta.dirname, '..', '..')
const nodeFlags = ['--disable-proto=throw', '--disallow-code-generation-from-strings', '--max-old-space-size=256']

/** A new directory, empty, that goes with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-daemon-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A configuration whose upstream `up.example` is the scripted registry. */
export async function configFor(
  folder: string,
  upstream: Pick<ScriptedRegistry, 'url'>,
  more: Record<string, unknown> = {},
): Promise<string> {
  const path = join(folder, 'config.yaml')
  const upstreams = { 'up.example': { url: upstream.url } }
  await writeFile(path, JSON.stringify({ upstreams, dockerConfig: 'off', ...more }))
  return path
}

/** Starts the daemon and settles when it serves, or has ended before that. It goes with the test. */
export async function startEntrepot(options: EntrepotOptions): Promise<Entrepot> {
  const { data, config, args = [], wrapper = [] } = options
  const main = [process.execPath, ...nodeFlags, join(root, 'src', 'main.ts')]
  const flags = ['--config', config, '--data', data, '--listen', '127.0.0.1:0', ...args]
  const [command = '', ...rest] = [...wrapper, ...main, ...flags]
  return watch(command, rest, { ...process.env, HOME: data, XDG_CONFIG_HOME: data, ...options.env })
}

/** As `npx entrepot` and `npm start` do. */
export function runLauncher(args: string[], env: Record<string, string> = {}): Promise<Entrepot> {
  return watch(process.execPath, [join(root, 'bin', 'entrepot.js'), ...args], { ...process.env, ...env })
}

/** As `npm start -- ARGS` starts it. */
export function runNpmStart(args: string[], env: Record<string, string> = {}): Promise<Entrepot> {
  return watch('npm', ['start', '--prefix', root, '--', ...args], { ...process.env, ...env })
}

async function watch(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<Entrepot> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const listeners = new Set<() => void>()
  const streams = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      streams[name] += text
      for (const listener of listeners) listener()
    })
  }
  let isOver = false
  const ended = once(child, 'close').then(([code, signal]): Ending => {
    isOver = true
    for (const listener of listeners) listener()
    return { code, signal, ...streams }
  })
  onTestFinished(async () => {
    if (!isOver) child.kill('SIGKILL')
    await ended
  })

  const logged = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!pattern.test(streams.stdout) && !isOver) return
        listeners.delete(look)
        if (pattern.test(streams.stdout)) resolve()
        else reject(new Error(`ended without ${pattern} in its log:\n${streams.stdout}${streams.stderr}`))
      }
      listeners.add(look)
      look()
    })
  await logged(/"msg":"serving"/).catch(() => {})
  return {
    url: /"at":"(http:[^"]+)"/.exec(streams.stdout)?.[1] ?? '',
    pid: child.pid ?? 0,
    ended,
    stdout: () => streams.stdout,
    logged,
    signal: (name) => void child.kill(name),
    async stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}
