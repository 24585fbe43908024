/** How a command asks: the daemon that has the data directory, over its socket, or the same app in this process where none runs. */
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { lstat, stat } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { createApp } from '../app.ts'
import type { Answer, Ask, Question } from '../charts/registry-target.ts'
import type { Config } from '../config/load.ts'
import type { Flags } from '../config/settings.ts'
import { createLog } from '../observe/log.ts'
import { requireOurs } from '../store/directory.ts'
import { hasCode, StoreLockedError } from '../store/errors.ts'
import { holdDirectory } from '../store/holder.ts'
import { CommandError, exitCodes } from './exit-code.ts'
import { operatorSocketIn } from './operator-socket.ts'

export interface Reply {
  status: number
  body: string
}

export interface Asking {
  /** GET of a request target, `/v2/...`. */
  get(target: string): Promise<Reply>
  /** Any request, with a body of any size. */
  ask: Ask
  /** The data directory, where no daemon runs on it and this process is the one that answers. */
  alone?: string
  close(): Promise<void>
}

/**
 * @throws StoreLockedError where a process has the directory and does not answer on its socket
 * @throws CommandError where a flag asks for what only a daemon's own start decides
 */
export async function openAsking(config: Config, flags: Flags): Promise<Asking> {
  const deadline = performance.now() + patience
  for (;;) {
    const daemon = await askDaemon(config, flags)
    if (daemon) return daemon
    try {
      return await openHere(config)
    } catch (error) {
      // Another command has the directory for a moment, or a daemon is about to open its socket.
      if (!(error instanceof StoreLockedError) || performance.now() > deadline) throw error
      await setTimeout(100)
    }
  }
}

async function askDaemon({ data }: Config, flags: Flags): Promise<Asking | undefined> {
  const socketPath = operatorSocketIn(data)
  if (!(await isOurs(data)) || !(await answers(socketPath))) return undefined
  if (flags.offline === true) throw new CommandError(exitCodes.bad, offlineIsItsOwn(data))
  const ask: Ask = (question) => askOver(socketPath, question, question.body ? uploadTime : answerTime)
  return { ask, get: (target) => ask({ method: 'GET', target }), close: async () => {} }
}

/**
 * For commands that only ask: what was typed and is not there was mistyped, and is not made.
 * @throws CommandError
 */
export async function requireTypedDirectory({ data }: Config, flags: Flags): Promise<void> {
  if (flags.data === undefined || (await isThere(data))) return
  throw new CommandError(
    exitCodes.bad,
    `There is no directory ${data}: name the one of a daemon with --data, or its configuration with --config. To ask without a daemon there, make it first: mkdir ${data}`,
  )
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    // Whatever else is wrong with it has a sentence of its own when it is opened.
    return !hasCode(error, 'ENOENT')
  }
}

/** Whoever can write to a directory can put a socket there and answer what he likes: the rule is the daemon's own. */
async function isOurs(data: string): Promise<boolean> {
  try {
    requireOurs(data, await stat(data))
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
    throw error
  }
}

function offlineIsItsOwn(data: string): string {
  return `--offline says nothing to the daemon that runs on ${data}: start that one with it, or stop it and ask again.`
}

/** ms: that a command waits for another one, for a daemon to say that it is there, and for an answer. */
const patience = 10_000
const greetingTime = 3_000
const answerTime = 60_000
const uploadTime = 30 * 60_000

async function openHere(config: Config): Promise<Asking> {
  const log = createLog('error', { fd: 2 })
  const holding = await holdDirectory(config.data, { listen: 'nothing: it is a command' })
  try {
    const app = await createApp(config, holding, log)
    const ask: Ask = async ({ method, target, headers = {}, body }) => {
      const sending = body && ({ body: ReadableStream.from(body.bytes()), duplex: 'half' } as const)
      const asked = new Request(`http://localhost${target}`, { method, headers, ...sending })
      const response = await app.operator.fetch(asked)
      const header = (name: string) => response.headers.get(name) ?? undefined
      return { status: response.status, header, body: await response.text() }
    }
    return {
      ask,
      get: (target) => ask({ method: 'GET', target }),
      alone: holding.directory,
      async close() {
        await app.close()
        await holding.release()
        await log.flush()
      },
    }
  } catch (error) {
    await holding.release()
    throw error
  }
}

async function answers(socketPath: string): Promise<boolean> {
  try {
    await askOver(socketPath, { method: 'GET', target: '/livez' }, greetingTime)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ECONNREFUSED', 'ENOTDIR')) return false
    if (!hasCode(error, 'EACCES')) throw error
    throw new CommandError(exitCodes.bad, `${socketPath} is another user's: ask as that user, or with another --data.`)
  }
}

async function askOver(socketPath: string, question: Question, within: number): Promise<Answer> {
  const { method, target, headers, body } = question
  const signal = AbortSignal.timeout(within)
  try {
    const length = body && { 'content-length': body.size }
    // A connection each: one that idles while a chart is fetched may be closed just when it is used again.
    const options = { socketPath, agent: false, path: target, method, signal } as const
    const asked = request({ ...options, headers: { ...headers, ...length, host: 'localhost' } })
    const answered = once(asked, 'response')
    // Who answers before the body has gone may close the connection below it; the answer counts.
    asked.on('error', () => {})
    void send(asked, body)
    const [response]: IncomingMessage[] = await answered
    if (!response) throw new TypeError('a response event without a response')
    const header = (name: string) => response.headersDistinct[name]?.[0]
    return { status: response.statusCode ?? 0, header, body: await text(response) }
  } catch (cause) {
    if (!signal.aborted) throw cause
    const sentence = `The daemon at ${socketPath} did not answer within ${within / 1000} s.`
    throw new CommandError(exitCodes.unavailable, sentence, { cause })
  }
}

/**
 * Ends the request once all has gone: before that, Node would write once more, of nothing, and where the daemon has the whole body by then,
 * has answered and closed, EPIPE comes of it and the answer is lost.
 */
async function send(asked: ClientRequest, body: Question['body']): Promise<void> {
  try {
    for await (const chunk of body?.bytes() ?? []) await write(asked, chunk)
    asked.end()
  } catch (error) {
    asked.destroy(error instanceof Error ? error : undefined)
  }
}

/** @throws where the connection ends before the bytes have gone */
function write(asked: ClientRequest, chunk: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const leave = () => reject(new Error('The connection has ended.'))
  asked.once('close', leave)
  asked.write(chunk, (error) => (error ? reject(error) : resolve()))
  return promise.finally(() => asked.off('close', leave))
}
