/**
 * Credential helpers: programs named `docker-credential-<suffix>` that hold credentials for the user
 * (https://github.com/docker/docker-credential-helpers): `get` reads a server on stdin, writes JSON on stdout.
 */
import { spawn } from 'node:child_process'
import { LRUCache } from 'lru-cache'
import type { Credential } from './credential.ts'
import { secret } from '../oci/secret.ts'
import { inSeconds } from './failure.ts'
import { parseObject, textOf } from './json-object.ts'

export interface CredentialHelpers {
  /**
   * What the helper holds for a server; `undefined` = nothing. Answers are kept for a while, absence too.
   * @throws Error where the helper cannot be run, fails, hangs or answers nonsense; its message holds nothing that the helper said
   */
  get(suffix: string, server: string): Promise<Credential | undefined>
}

export interface CredentialHelperOptions {
  /** Where to find the programs (`PATH`), and what they run with. */
  env: NodeJS.ProcessEnv
  /** ms that an answer may take; default 5,000. */
  within?: number
  /** ms that an answer is kept; default 5 min. */
  keepFor?: number
  /** ms before a helper is asked again after the upstream refused what it gave, or after it failed; default 10,000. */
  pause?: number
  /** Monotonic milliseconds. */
  now?: () => number
}

interface KeptAnswer {
  answer: Promise<Credential | undefined>
  askedAt: number
  until: number
}

const mostAnswers = 256

export function createCredentialHelpers(options: CredentialHelperOptions): CredentialHelpers {
  const { env, within = 5_000, keepFor = 5 * 60_000, pause = 10_000, now = () => performance.now() } = options
  const kept = new LRUCache<string, KeptAnswer>({ max: mostAnswers })

  function ask(key: string, suffix: string, server: string): KeptAnswer {
    const askedAt = now()
    const entry = { answer: run(suffix, server, { env, within }), askedAt, until: askedAt + keepFor }
    kept.set(key, entry)
    // A failure is shared for a moment only; without that every request would start the program again.
    entry.answer.catch(() => (entry.until = now() + pause))
    return entry
  }

  return {
    async get(suffix, server) {
      const key = JSON.stringify([suffix, server])
      const known = kept.get(key)
      const entry = known && now() < known.until ? known : ask(key, suffix, server)
      const credential = await entry.answer
      const refused = () => {
        if (now() - entry.askedAt >= pause) entry.until = 0
      }
      return credential && { ...credential, refused }
    },
  }
}

interface RunOptions {
  env: NodeJS.ProcessEnv
  within: number
}

const suffixPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const hostPattern = /^(?:[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?$/
/** The one server that is no host: what `docker login` files Docker Hub's credentials under. */
const dockerHubServer = 'https://index.docker.io/v1/'
const longestName = 1024

async function run(suffix: string, server: string, options: RunOptions): Promise<Credential | undefined> {
  if (!suffixPattern.test(suffix))
    throw new Error('the name of a credential helper has characters that it may not have')
  const program = `docker-credential-${suffix}`
  if (server !== dockerHubServer && !hostPattern.test(server)) throw new Error(`${program} is not asked: no host name`)
  const { code, stdout } = await execute(program, server, options)
  if (code !== 0) {
    if (/^credentials not found/i.test(stdout.toString('utf8').trim())) return undefined
    throw new Error(`${program} failed (exit code ${code ?? 'none'})`)
  }
  const answer = parseObject(stdout)
  const text = answer && textOf(answer, 'Secret')
  const username = (answer && textOf(answer, 'Username')) ?? ''
  // Helpers that hold nothing may also say so by an empty answer.
  if (answer && !text) return undefined
  if (!text || username.length > longestName || /\p{Cc}/u.test(username)) {
    throw new Error(`${program} answered something that is no credential`)
  }
  const identity = `helper-${suffix}:${username}`
  if (username === '<token>') return { identity, username: '', identityToken: secret(text) }
  return { identity, username, password: secret(text) }
}

const longestAnswer = 64 * 1024

interface Outcome {
  /** `null`: killed by a signal. */
  code: number | null
  stdout: Buffer
}

/** In a process group of its own, so that a helper that hangs goes with all that it started. */
async function execute(program: string, input: string, { env, within }: RunOptions): Promise<Outcome> {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
  const child = spawn(program, ['get'], { env, stdio: ['pipe', 'pipe', 'ignore'], shell: false, detached: true })
  const chunks: Buffer[] = []
  let size = 0
  const stop = (why: string) => {
    reject(new Error(`${program} ${why}`))
    child.stdout.destroy()
    killGroup(child.pid)
  }
  const timer = setTimeout(() => stop(`did not answer within ${inSeconds(within)}`), within)
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length
    chunks.push(chunk)
    if (size > longestAnswer) stop(`answered more than ${longestAnswer} bytes`)
  })
  child.on('error', (error: NodeJS.ErrnoException) => {
    reject(new Error(`${program} cannot be run (${error.code === 'ENOENT' ? 'not found in PATH' : error.code})`))
  })
  child.on('close', (code) => resolve({ code, stdout: Buffer.concat(chunks) }))
  // A helper that exits without reading is judged by its exit code.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return promise.finally(() => clearTimeout(timer))
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}
