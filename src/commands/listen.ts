/** Where the daemon can be reached, and by whom: making its server, taking the address, and saying which it is. */
import { once } from 'node:events'
import { unlink } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect } from 'node:net'
import type { Config } from '../config/load.ts'
import { isLoopback } from '../config/values.ts'
import type { Log } from '../observe/log.ts'
import { serverOptions } from '../registry/limits.ts'
import { hasCode } from '../store/errors.ts'
import { keepCertificate, tlsOptions } from './certificate.ts'
import { CommandError, exitCodes } from './exit-code.ts'

/** The certificate is looked after as long as the server is there. */
export function serverFor({ tls }: Config, listener: RequestListener, log: Log): Server {
  if (!tls) return createServer(serverOptions, listener)
  const server = createTlsServer({ ...serverOptions, ...tlsOptions(tls) }, listener)
  server.once('close', keepCertificate(server, tls, log))
  return server
}

/** What an operator should not find out from somebody else. */
export function sayWhoMay({ listen: at, access, tls, allowAnonymousLan }: Config, log: Log): void {
  if ('path' in at || isLoopback(at.host)) return
  if (allowAnonymousLan)
    log.warn(
      'everybody who can connect may pull, push and delete (allowAnonymousLan: true); credentials are used only for upstreams that are marked shared',
    )
  else if (access && !tls)
    log.warn('passwords travel without encryption: say under tls which certificate to use, or let a proxy do it')
}

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

/** `http://HOST:PORT`, https where there is a certificate, or `unix:PATH`; with a server that listens, the port that it really has. */
export function addressOf({ listen: at, tls }: Config, server?: Server): string {
  if ('path' in at) return `unix:${at.path}`
  const bound = server?.address()
  const port = bound && typeof bound === 'object' ? bound.port : at.port
  return `${tls ? 'https' : 'http'}://${at.host.includes(':') ? `[${at.host}]` : at.host}:${port}`
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
