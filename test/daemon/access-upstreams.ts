/** Upstreams of three kinds: open to everybody, behind a password, and behind a token server; nobody reads the last two without credentials. */
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { startTokenServer } from '../support/token-server.ts'

export type Lock = 'open' | 'password' | 'token'

export interface LockedUpstream {
  registry: ScriptedRegistry
  /** As the configuration has it. */
  settings: Record<string, unknown>
}

const credentials = { username: 'robot', password: 'secret of the robot' }
const basic = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`

/** @param folder for the keys of a token server */
export async function startLocked(lock: Lock, folder: string): Promise<LockedUpstream> {
  const registry = await startScriptedRegistry({ referrers: true })
  onTestFinished(() => registry.close())
  if (lock === 'open') return { registry, settings: { url: registry.url } }
  if (lock === 'password') {
    refuse(registry, 'Basic realm="locked"', (request) => request.headers.authorization === basic)
    return { registry, settings: { url: registry.url, ...credentials } }
  }
  const jwks = join(folder, 'jwks.json')
  const tokens = await startTokenServer({ issuer: 'issuer', service: 'service', jwks, ...credentials })
  onTestFinished(() => tokens.stop())
  tokens.forwardTo(registry.host)
  refuse(registry, `Bearer realm="${tokens.realm}",service="service"`, mayRead)
  return { registry, settings: { url: `http://${tokens.host}`, ...credentials } }
}

function refuse(registry: ScriptedRegistry, challenge: string, isAllowed: (request: IncomingMessage) => boolean): void {
  registry.misbehave(
    (request) => !isAllowed(request),
    (request, response) => {
      const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(request.url ?? '')?.[1]
      const scope = challenge.startsWith('Bearer') && name !== undefined ? `,scope="repository:${name}:pull"` : ''
      response.writeHead(401, { 'WWW-Authenticate': challenge + scope, 'Content-Type': 'application/json' })
      response.end('{"errors":[{"code":"UNAUTHORIZED","message":"locked"}]}')
    },
  )
}

/** Only the token server is asked by whoever reaches us, so that what a token says is believed. */
function mayRead({ url = '', headers }: IncomingMessage): boolean {
  const claims = /^Bearer [^.]+\.([^.]+)\./.exec(headers.authorization ?? '')?.[1]
  if (claims === undefined) return false
  const { access }: { access: { name: string; actions: string[] }[] } = JSON.parse(
    Buffer.from(claims, 'base64url').toString(),
  )
  return access.some(({ name, actions }) => actions.includes('pull') && url.startsWith(`/v2/${name}/`))
}
