/** `entrepot serve`: the daemon, from its configuration to the drain. */
import { getRequestListener } from '@hono/node-server'
import { createServer, type RequestListener } from 'node:http'
import { type App, createApp } from '../app.ts'
import { type Config, loadConfig } from '../config/load.ts'
import type { Flags } from '../config/settings.ts'
import { createLog, type MainLog } from '../observe/log.ts'
import { capConnections } from '../registry/connections.ts'
import { renderServerError } from '../registry/errors.ts'
import { limitServer, serverOptions } from '../registry/limits.ts'
import { answerInTurn } from '../registry/pipeline.ts'
import { answerPlaintext } from '../registry/plaintext.ts'
import { holdDirectory } from '../store/holder.ts'
import { drain, firstSignal } from './drain.ts'
import { homeFolder } from './home.ts'
import { addressOf, listen, sayWhoMay, serverFor } from './listen.ts'
import { listenForCommands } from './operator-socket.ts'

/** Serves until a signal ends it. */
export async function serve(flags: Flags): Promise<void> {
  const config = loadConfig({ flags, env: process.env, home: homeFolder() })
  const log = createLog(config.logLevel)
  endOnUncaught(log)
  await serveUntilSignal(config, log)
  await log.flush()
}

async function serveUntilSignal(config: Config, log: MainLog): Promise<void> {
  const signalled = firstSignal(log)
  const holding = await holdDirectory(config.data, { listen: addressOf(config) })
  try {
    const app = await createApp(config, holding, log)
    const server = serverFor(config, listenerOf(app.public), log)
    const operator = createServer(serverOptions, listenerOf(app.operator))
    try {
      limitServer(server)
      answerPlaintext(server)
      capConnections(server, { warn: (message, fields) => log.warn(message, fields) })
      await listenForCommands(operator, holding.directory)
      await listen(server, config)
      await holding.announce(addressOf(config, server))
      sayWhoMay(config, log)
      log.info('serving', { at: addressOf(config, server), data: holding.directory, offline: config.offline })
      await signalled
      app.drain()
      await Promise.all([drain(server, log), drain(operator, log)])
    } finally {
      operator.close()
      server.close()
      await app.close()
    }
  } finally {
    await holding.release()
  }
}

function listenerOf({ fetch }: App['public']): RequestListener {
  const answer = getRequestListener(fetch, { errorHandler: renderServerError, overrideGlobalObjects: false })
  return answerInTurn((incoming, outgoing) => void answer(incoming, outgoing))
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
