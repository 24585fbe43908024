import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ociManifest } from '../../src/oci/media-types.ts'
import { parseName, parseTag } from '../../src/oci/name.ts'
import { createAuthorizer } from '../../src/upstream/authorizer.ts'
import { createUpstream } from '../../src/upstream/client.ts'
import { createConnector } from '../../src/upstream/connector.ts'
import type { Credential } from '../../src/upstream/credential.ts'
import { secret } from '../../src/oci/secret.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { caught } from './caught.ts'

const name = parseName('org/app') ?? expect.fail('no name')
const tag = parseTag('latest') ?? expect.fail('no tag')
const credential: Credential = { identity: 'config:me', username: 'me', password: secret('canary') }
const open: { close(): Promise<void> }[] = []

let registry: ScriptedRegistry

beforeEach(async () => {
  registry = await startScriptedRegistry()
  open.push(registry)
  registry.putManifest(name, tag, '{}', ociManifest)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

function clientWith(found: Credential | undefined) {
  const url = new URL(registry.url)
  const upstream = 'registry.test'
  const connector = createConnector({ upstream, privateHosts: [url.host] })
  const { metadata: send } = connector
  const authorizer = createAuthorizer({
    upstream,
    url,
    tokenRealms: [],
    credentials: async () => found,
    send,
    warn: (message) => expect.fail(message),
  })
  const client = createUpstream({ name: upstream, url, connector, authorizer, budget: { delay: 1 } })
  open.push(client)
  return client
}

/** Lets requests through that carry the token of `/token`, which itself wants the password. */
function demandToken(): void {
  registry.misbehave(
    (request) => request.headers.authorization !== 'Bearer good' && request.url?.startsWith('/v2/') === true,
    (_request, response) => {
      const challenge = `Bearer realm="${registry.url}/token",service="s",scope="repository:org/app:pull"`
      response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
    },
  )
  registry.misbehave({ path: /^\/token/ }, (request, response) => {
    const isMe = request.headers.authorization === `Basic ${Buffer.from('me:canary').toString('base64')}`
    response.writeHead(isMe ? 200 : 401, { 'Content-Type': 'application/json' })
    response.end(isMe ? '{"token":"good","expires_in":300}' : '{}')
  })
}

describe('an upstream that wants a token', () => {
  it('gets one, once for all requests of a repository', async () => {
    demandToken()
    const client = clientWith(credential)
    const all = await Promise.all(Array.from({ length: 5 }, () => client.getManifest(name, { tag })))
    expect(all.filter(Boolean)).toHaveLength(5)
    expect(await client.headManifest(name, { tag })).toBeDefined()
    expect(registry.count('GET', /^\/token/)).toBe(1)
    expect(await client.credentialIdentity(name)).toBe('config:me')
  })

  it('is denied to us without a credential, after one attempt', async () => {
    demandToken()
    expect(await caught(clientWith(undefined).getManifest(name, { tag }))).toMatchObject({
      trouble: 'denied',
      status: 403,
    })
    expect(registry.count('GET', /manifests/)).toBe(1)
  })
})
