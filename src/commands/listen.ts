/** Where the daemon can be reached: taking the address, and saying which it is. */
import { once } from 'node:events'
import { unlink } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import type { Config } from '../config/load.ts'
import { hasCode } from '../store/errors.ts'
import { CommandError, exitCodes } from './exit-code.ts'

/** @throws CommandError where the address cannot be listened on */
export async function listen(server: Server, config: Config): Promise<void> {
  const { listen: at } = config
  try {
    if ('path' in at) await removeStaleSocket(at.path)
    server.listen('path' in at ? { path: at.path } : { host: at.host, port: at.port })
    await once(server, 'listening')
  } catch (cause) {
    throw new CommandError(exitCodes.bad, `${addressOf(config)} ${reasonOf(cause)}`, { cause })
  }
}

/** `http://HOST:PORT` or `unix:PATH`; with a server that listens, the port that it really has. */
export function addressOf({ listen: at }: Config, server?: Server): string {
  if ('path' in at) return `unix:${at.path}`
  const bound = server?.address()
  const port = bound && typeof bound === 'object' ? bound.port : at.port
  return `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${port}`
}

function reasonOf(error: unknown): string {
  if (hasCode(error, 'EADDRINUSE')) return 'is in use: stop what listens there, or start with --listen HOST:PORT.'
  if (hasCode(error, 'EACCES')) return 'may not be listened on by this user: start with another --listen HOST:PORT.'
  if (hasCode(error, 'EADDRNOTAVAIL', 'ENOTFOUND')) return 'is no address of this machine: correct "listen".'
  return `cannot be listened on: ${error instanceof Error ? error.message : String(error)}`
}

/** A process that was killed leaves its socket, on which nobody listens any more. */
async function removeStaleSocket(path: string): Promise<void> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
  } catch (error) {
    if (hasCode(error, 'ECONNREFUSED')) await unlink(path)
  } finally {
    socket.destroy()
  }
}
