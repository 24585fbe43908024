/** The whole upstream client, over real sockets, against a registry that wants tokens or passwords. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseTag } from '../../../src/oci/name.ts'
import { createAuthorizer } from '../../../src/upstream/authorizer.ts'
import { createUpstream } from '../../../src/upstream/client.ts'
import { createConnector } from '../../../src/upstream/connector.ts'
import type { Credential } from '../../../src/upstream/credential.ts'
import type { Upstream } from '../../../src/upstream/upstream.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../../support/scripted-registry.ts'
import { basicHeader, login, name, reply } from './support.ts'

const mediaType = 'application/vnd.oci.image.manifest.v1+json'
const content = '{"schemaVersion":2}'

let registry: ScriptedRegistry
let upstream: Upstream | undefined
beforeEach(async () => {
  registry = await startScriptedRegistry()
  registry.putManifest('team/app', 'v1', content, mediaType)
  registry.putManifest('team/other', 'v1', content, mediaType)
})
afterEach(async () => {
  await upstream?.close()
  await registry.close()
})

function upstreamWith(credential: Credential | undefined): Upstream {
  const url = new URL(registry.url)
  const connector = createConnector({ upstream: registry.host, privateHosts: [registry.host] })
  const authorizer = createAuthorizer({
    upstream: registry.host,
    url,
    tokenRealms: [],
    credentials: async () => credential,
    send: connector.metadata,
    warn: () => {},
  })
  upstream = createUpstream({ name: registry.host, url, connector, authorizer, budget: { attempts: 1 } })
  return upstream
}

/** Lets nobody in without one of the tokens that the token server gave out and that still count. */
function wantTokens(tokens: Set<string>, server: (request: IncomingMessage, response: ServerResponse) => void): void {
  const challenge = `Basic realm="no", Bearer realm="${registry.url}/token",service="registry",scope="x"`
  const isLetIn = ({ headers }: IncomingMessage) => tokens.has(headers.authorization ?? '')
  registry.misbehave(
    (request) => !isLetIn(request),
    (_request, response) => reply(response, {}, 401, { 'www-authenticate': challenge }),
  )
  registry.misbehave({ path: /^\/token/ }, server)
}

async function get(from: Upstream, text = 'team/app'): Promise<string> {
  const tag = parseTag('v1')
  if (!tag) throw new Error('v1 is a tag')
  const manifest = await from.getManifest(name(text), { tag })
  return manifest ? Buffer.from(manifest.bytes).toString() : 'absent'
}

test('an anonymous token is fetched once and used again', async () => {
  const tokens = new Set<string>()
  wantTokens(tokens, (_request, response) => {
    tokens.add('Bearer one')
    reply(response, { token: 'one', expires_in: 300 })
  })
  const client = upstreamWith(undefined)
  expect(await get(client)).toBe(content)
  expect(await get(client)).toBe(content)
  expect(registry.count('GET', /^\/token/)).toBe(1)
  expect(registry.count('GET', /manifests/)).toBe(3)
})

test('50 requests at once for one repository cost one token', async () => {
  const tokens = new Set<string>()
  wantTokens(tokens, (_request, response) => {
    tokens.add('Bearer one')
    reply(response, { token: 'one' })
  })
  const client = upstreamWith(undefined)
  await Promise.all(Array.from({ length: 50 }, () => get(client)))
  expect(registry.count('GET', /^\/token/)).toBe(1)
})

test('a token that is revoked is replaced within the request', async () => {
  const tokens = new Set<string>()
  wantTokens(tokens, (_request, response) => {
    const text = `token-${registry.count('GET', /^\/token/)}`
    tokens.add(`Bearer ${text}`)
    reply(response, { token: text, expires_in: 3600 })
  })
  const client = upstreamWith(login('octocat', 'pw'))
  expect(await get(client)).toBe(content)
  tokens.clear()
  expect(await get(client)).toBe(content)
  expect(registry.count('GET', /^\/token/)).toBe(2)
})

test('Basic is sent to the upstream, from the second request on at once', async () => {
  const expected = basicHeader('octocat', 'pw')
  registry.misbehave(
    ({ headers }) => headers.authorization !== expected,
    (_request, response) => reply(response, {}, 401, { 'www-authenticate': 'Basic realm="Registry"' }),
  )
  const client = upstreamWith(login('octocat', 'pw'))
  expect(await get(client)).toBe(content)
  expect(await get(client)).toBe(content)
  expect(registry.calls).toHaveLength(3)
})

test.each([
  [401, 'denied'],
  [403, 'denied'],
  [429, 'limited'],
  [503, 'unreachable'],
])('a token server that answers %i is trouble (%s), never absence', async (status, trouble) => {
  wantTokens(new Set(), (_request, response) => reply(response, {}, status))
  await expect(get(upstreamWith(login('octocat', 'pw')))).rejects.toMatchObject({ trouble })
})

test('a 401 that stands is a denial, never absence', async () => {
  registry.misbehave({}, (_request, response) => reply(response, {}, 401, { 'www-authenticate': 'Basic realm="r"' }))
  await expect(get(upstreamWith(undefined))).rejects.toMatchObject({ trouble: 'denied', status: 403 })
  await expect(get(upstreamWith(login('octocat', 'wrong')))).rejects.toMatchObject({ trouble: 'denied', status: 403 })
})
