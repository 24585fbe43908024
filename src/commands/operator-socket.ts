/**
 * The daemon's own door for the commands: a unix socket in its data directory, which only its user can open (docs/architecture.md, Who is
 * let near).
 */
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { limitServer } from '../registry/limits.ts'

export function operatorSocketIn(directory: string): string {
  return join(directory, 'entrepot.sock')
}

/** @param directory held by this process: a socket that is there already is what a killed one has left */
export async function listenForCommands(server: Server, directory: string): Promise<void> {
  const path = operatorSocketIn(directory)
  await rm(path, { force: true })
  limitServer(server)
  server.listen({ path })
  await once(server, 'listening')
}
