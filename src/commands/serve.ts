/** `entrepot serve`: the daemon, from its configuration to the drain. */
import { getRequestListener } from '@hono/node-server'
import { createServer } from 'node:http'
import { homedir } from 'node:os'
import { createApp } from '../app.ts'
import { type Config, loadConfig } from '../config/load.ts'
import { ConfigError } from '../config/problem.ts'
import type { Flags } from '../config/settings.ts'
import { createLog, type MainLog } from '../observe/log.ts'
import { capConnections } from '../registry/connections.ts'
import { renderServerError } from '../registry/errors.ts'
import { limitServer, serverOptions } from '../registry/limits.ts'
import { hasCode, StoreLockedError, UnusableDirectoryError } from '../store/errors.ts'
import { holdDirectory } from '../store/holder.ts'
import { drain, firstSignal } from './drain.ts'
import { addressOf, listen, ListenError } from './listen.ts'

/** Serves until a signal ends it, and settles with the exit code. */
export async function serve(flags: Flags): Promise<number> {
  try {
    const config = loadConfig({ flags, env: process.env, home: homeFolder() })
    const log = createLog(config.logLevel)
    endOnUncaught(log)
    await serveUntilSignal(config, log)
    await log.flush()
    return 0
  } catch (error) {
    process.stderr.write(`entrepot: ${sentenceOf(error)}\n`)
    return exitCodeOf(error)
  }
}

async function serveUntilSignal(config: Config, log: MainLog): Promise<void> {
  const signalled = firstSignal(log)
  const holding = await holdDirectory(config.data, { listen: addressOf(config) })
  try {
    const app = await createApp(config, holding.directory, log)
    try {
      const answer = getRequestListener(app.public.fetch, {
        errorHandler: renderServerError,
        overrideGlobalObjects: false,
      })
      const server = createServer(serverOptions, (incoming, outgoing) => void answer(incoming, outgoing))
      limitServer(server)
      capConnections(server, { warn: (message, fields) => log.warn(message, fields) })
      await listen(server, config)
      await holding.announce(addressOf(config, server))
      log.info('serving', { at: addressOf(config, server), data: holding.directory, offline: config.offline })
      await signalled
      app.drain()
      await drain(server, log)
    } finally {
      await app.close()
    }
  } finally {
    await holding.release()
  }
}

/** After an error that nobody caught nothing is certain any more, and what is kept survives an end at any moment: let a supervisor start anew. */
function endOnUncaught(log: MainLog): void {
  process.on('uncaughtException', (error, origin) => {
    log.error('an error that nobody caught; the daemon ends', { error, origin })
    void exitAfterLogging(log)
  })
}

async function exitAfterLogging(log: MainLog): Promise<void> {
  await log.flush()
  process.exit(70)
}

/** A user without an entry in the list of users, as containers have them, has no home folder. */
function homeFolder(): string | undefined {
  try {
    return homedir()
  } catch {
    return undefined
  }
}

/** What the operator can mend is said in a sentence; what may be our own fault comes with its stack. */
function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return exitCodeOf(error) === 70 ? (error.stack ?? error.message) : error.message
}

function exitCodeOf(error: unknown): number {
  const mendable = [ConfigError, ListenError, UnusableDirectoryError].some((kind) => error instanceof kind)
  if (mendable || hasCode(error, 'EACCES', 'EPERM')) return 1
  if (error instanceof StoreLockedError) return 2
  return hasCode(error, 'ENOSPC', 'EDQUOT', 'EIO', 'EROFS') ? 74 : 70
}
