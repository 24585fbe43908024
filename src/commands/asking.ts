/** How a command asks: the daemon that has the data directory, over its socket, or the same app in this process where none runs. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { createApp } from '../app.ts'
import type { Config } from '../config/load.ts'
import type { Flags } from '../config/settings.ts'
import { createLog } from '../observe/log.ts'
import { hasCode } from '../store/errors.ts'
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
  close(): Promise<void>
}

/**
 * @throws StoreLockedError where a process has the directory and does not answer on its socket
 * @throws CommandError where a flag asks for what only a daemon's own start decides
 */
export async function openAsking(config: Config, flags: Flags): Promise<Asking> {
  const socketPath = operatorSocketIn(config.data)
  if (!(await answers(socketPath))) return openHere(config)
  if (flags.offline === true) throw new CommandError(exitCodes.bad, offlineIsItsOwn(config.data))
  return { get: (target) => getOver(socketPath, target), close: async () => {} }
}

function offlineIsItsOwn(data: string): string {
  return `--offline says nothing to the daemon that runs on ${data}: start that one with it, or stop it and ask again.`
}

async function openHere(config: Config): Promise<Asking> {
  const log = createLog('error', { fd: 2 })
  const holding = await holdDirectory(config.data, { listen: 'nothing: it is a command' })
  try {
    const app = await createApp(config, holding.directory, log)
    return {
      async get(target) {
        const response = await app.operator.fetch(new Request(`http://localhost${target}`))
        return { status: response.status, body: await response.text() }
      },
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
    await getOver(socketPath, '/livez')
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ECONNREFUSED', 'ENOTDIR')) return false
    throw error
  }
}

async function getOver(socketPath: string, target: string): Promise<Reply> {
  const asked = request({ socketPath, path: target, headers: { host: 'localhost' } }).end()
  const [response]: IncomingMessage[] = await once(asked, 'response')
  if (!response) throw new TypeError('a response event without a response')
  return { status: response.statusCode ?? 0, body: await text(response) }
}
