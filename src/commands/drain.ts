/** The end of the daemon: the first signal lets clients finish, a second one does not wait for them. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import { constants } from 'node:os'
import type { Log } from '../observe/log.ts'

const signals = ['SIGINT', 'SIGTERM'] as const
/** ms that clients have to finish after the first signal. */
const drainTime = 30_000
/** ms between two looks for clients that have finished: closing a server ends only the connections that are idle by then. */
const idleCheck = 100
/** ms in which further SIGINTs are the same Ctrl-C: the terminal sends it to the whole group, npm and the launcher pass it on. */
const sameKeystroke = 1_000

/**
 * Listens from now on, and settles at the first signal, or when the launcher is gone; a signal that comes after it ends the process at once,
 * with 128 + its number. Call it before anybody is told that the daemon serves: a signal that nobody listens for kills.
 */
export function firstSignal(log: Log): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let since: number | undefined
  const receive = (signal: (typeof signals)[number]) => {
    const now = performance.now()
    since ??= now
    if (since === now) {
      log.info('draining', { signal })
      resolve()
    } else if (signal !== 'SIGINT' || now - since > sameKeystroke) {
      process.exit(128 + constants.signals[signal])
    }
  }
  for (const signal of signals) process.on(signal, () => receive(signal))
  onLauncherGone(() => {
    if (since !== undefined) return
    since = performance.now()
    log.info('draining', { reason: 'the launcher is gone' })
    resolve()
  })
  return promise
}

/** Only the launcher (bin/entrepot.js) opens a channel, for this alone: its kill -9 would leave the port and the data with nobody to ask. */
function onLauncherGone(listener: () => void): void {
  if (!process.send) return
  if (!process.connected) return listener()
  process.once('disconnect', listener)
  // Listening to it must not keep a process that has drained.
  process.channel?.unref()
}

/** No new connections; those that are in use may finish, the rest is ended. */
export async function drain(server: Server, log: Log): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  const idle = setInterval(() => server.closeIdleConnections(), idleCheck)
  const late = setTimeout(() => {
    log.warn('clients did not finish in time; their connections are broken')
    server.closeAllConnections()
  }, drainTime)
  await closed
  clearInterval(idle)
  clearTimeout(late)
}
