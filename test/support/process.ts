/** Real processes in tests: one that runs to its end, and one that stays until it is stopped, by its own id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Running {
  readonly pid: number
  /** Standard output and standard error so far, as they came. */
  output: () => string
  /**
   * Settles with the first match of a pattern in the output.
   * @throws with the output when the process ends or `within` ms pass without it
   */
  printed(pattern: RegExp, within?: number): Promise<RegExpExecArray>
  /** False from the moment when the process has ended. */
  running: () => boolean
  /** Sends a signal and settles when the process has ended; kills it after 10 s. Idempotent. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

export interface ProcessOptions {
  env?: Record<string, string>
  cwd?: string
  /** ms until a command is killed; default 60,000. */
  timeout?: number
}

/** Standard output of a command. @throws with what it wrote when it does not end with 0 */
export async function run(command: string, args: string[], options: ProcessOptions = {}): Promise<string> {
  return (await finish(command, args, options)).stdout
}

/** Standard output and standard error of a command, as they came. @throws with both when it does not end with 0 */
export async function transcript(command: string, args: string[], options: ProcessOptions = {}): Promise<string> {
  return (await finish(command, args, options)).everything
}

export async function start(command: string, args: string[], options: ProcessOptions = {}): Promise<Running> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log = record(child)
  await once(child, 'spawn')
  const ended = once(child, 'exit')
  const running = () => child.exitCode === null && child.signalCode === null
  return {
    pid: child.pid ?? 0,
    output: log.text,
    running,
    printed: (pattern, within = 20_000) => printed(child, log, pattern, within),
    async stop(signal = 'SIGTERM') {
      if (!running()) return
      child.kill(signal)
      const impatient = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(impatient)
    },
  }
}

async function finish(command: string, args: string[], options: ProcessOptions) {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeout ?? 60_000,
    killSignal: 'SIGKILL',
  })
  const stdout: Buffer[] = []
  const everything: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => {
    stdout.push(chunk)
    everything.push(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => everything.push(chunk))
  const [code, signal] = await once(child, 'close')
  const written = Buffer.concat(everything).toString()
  if (code === 0) return { stdout: Buffer.concat(stdout).toString(), everything: written }
  throw new Error(`${command} ${args.join(' ')} ended with ${String(code ?? signal)}:\n${written}`)
}

interface Log {
  text: () => string
  onChange(listener: () => void): () => void
}

function record(child: ChildProcess): Log {
  const listeners = new Set<() => void>()
  let text = ''
  const add = (chunk: Buffer) => {
    text += chunk.toString()
    for (const listener of listeners) listener()
  }
  child.stdout?.on('data', add)
  child.stderr?.on('data', add)
  return {
    text: () => text,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

function printed(child: ChildProcess, log: Log, pattern: RegExp, within: number): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer)
      unlisten()
      child.off('close', onClose)
    }
    const onClose = () => {
      done()
      reject(new Error(`ended before it printed ${pattern}:\n${log.text()}`))
    }
    const look = () => {
      const match = pattern.exec(log.text())
      if (!match) return
      done()
      resolve(match)
    }
    const timer = setTimeout(() => {
      done()
      reject(new Error(`did not print ${pattern} within ${within} ms:\n${log.text()}`))
    }, within)
    const unlisten = log.onChange(look)
    child.on('close', onClose)
    look()
  })
}
