/** The realm rules against a server that every host leads to and that records all that it is told. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createAuthorizer } from '../../../src/upstream/authorizer.ts'
import type { Credential } from '../../../src/upstream/credential.ts'
import { secret } from '../../../src/oci/secret.ts'
import { caught } from '../caught.ts'
import { name, plainSend, startTokenServer, type TokenServer } from './support.ts'

const canary = 'canary-5f1d'
const encodedCanary = Buffer.from(`user:${canary}`).toString('base64')
const tokenRealms = ['auth.example.com', 'auth.example.net:8443', 'xn--bcher-kva.example', '[2001:db8::1]']

const credentials: [what: string, credential: Credential][] = [
  ['a password', { identity: 'config:user', username: 'user', password: secret(canary) }],
  ['an identity token', { identity: 'config:user', username: 'user', identityToken: secret(canary) }],
]

const https = 'https://registry.example'
const http = 'http://127.0.0.1:5001'
const plainHost = 'http://registry.example'

const refused: [why: string, upstream: string, realm: string][] = [
  ['a foreign host', https, 'https://evil.example/token'],
  ['a foreign host by http', https, 'http://evil.example/token'],
  ['http though the upstream is https', https, 'http://registry.example/token'],
  ['http at the https port', https, 'http://registry.example:443/token'],
  ['another port of the upstream', https, 'https://registry.example:8443/token'],
  ['a sub-domain of the upstream', https, 'https://auth.registry.example/token'],
  ['the parent domain', https, 'https://example/token'],
  ['the upstream as a prefix', https, 'https://registry.example.evil.example/token'],
  ['the upstream as a suffix', https, 'https://evilregistry.example/token'],
  ['the upstream as user name', https, 'https://registry.example@evil.example/token'],
  ['the upstream as user name and port', https, 'https://registry.example:443@evil.example/token'],
  ['a user name before the right host', https, 'https://user:pw@registry.example/token'],
  ['an empty user name before the right host', https, 'https://@registry.example/token'],
  ['a fragment', https, 'https://registry.example/token#x'],
  ['an empty fragment', https, 'https://registry.example/token#'],
  ['a trailing dot', https, 'https://registry.example./token'],
  ['a backslash for a slash', https, 'https://evil.example\\@registry.example/token'],
  ['backslashes for slashes', https, 'https:\\\\registry.example\\token'],
  ['one slash', https, 'https:/registry.example/token'],
  ['no slash', https, 'https:registry.example/token'],
  ['three slashes', https, 'https:///registry.example/token'],
  ['a path only', https, '/token'],
  ['no scheme', https, '//registry.example/token'],
  ['a blank before it', https, ' https://registry.example/token'],
  ['a tab within', https, 'https://regis\ttry.example/token'],
  ['a letter of another alphabet', https, 'https://auth.exаmple.com/token'],
  ['a dot of another alphabet', https, 'https://auth。example。com/token'],
  ['ftp', https, 'ftp://registry.example/token'],
  ['file', https, 'file:///etc/passwd'],
  ['javascript', https, 'javascript:alert(1)'],
  ['nothing', https, ''],
  ['a link-local address', https, 'https://169.254.169.254/latest/meta-data'],
  ['loopback', https, 'https://127.0.0.1/token'],
  ['loopback in hexadecimal', https, 'https://0x7f.1/token'],
  ['loopback in IPv6', https, 'https://[::1]/token'],
  ['another port of a listed host', https, 'https://auth.example.com:8443/token'],
  ['the default port of a host listed with another', https, 'https://auth.example.net/token'],
  ['a listed host by http', https, 'http://auth.example.com/token'],
  ['a sub-domain of a listed host', https, 'https://a.auth.example.com/token'],
  ['a realm of more than 2,048 characters', https, `https://registry.example/${'t'.repeat(2048)}`],
  ['another port of a plain upstream', http, 'http://127.0.0.1:5002/token'],
  ['a plain upstream under another name', http, 'http://localhost:5001/token'],
  ['a listed host by http for a plain upstream', http, 'http://auth.example.com/token'],
  ['a foreign host for a plain upstream', http, 'https://evil.example/token'],
  ['https at port 443 for a plain upstream at port 80', plainHost, 'https://registry.example/token'],
]

const allowed: [why: string, upstream: string, realm: string][] = [
  ['the upstream itself', https, 'https://registry.example/token'],
  ['the upstream with its default port', https, 'https://registry.example:443/token'],
  ['the upstream in capitals', https, 'HTTPS://Registry.Example/token'],
  ['a listed host', https, 'https://auth.example.com/token'],
  ['a listed host with a query of its own', https, 'https://auth.example.com/token?tenant=1'],
  ['a listed host and port', https, 'https://auth.example.net:8443/token'],
  ['a listed international name', https, 'https://xn--bcher-kva.example/token'],
  ['a listed IPv6 address', https, 'https://[2001:DB8::1]/token'],
  ['a plain upstream itself', http, 'http://127.0.0.1:5001/token'],
  ['https at the host and port of a plain upstream', http, 'https://127.0.0.1:5001/token'],
  ['a listed host for a plain upstream', http, 'https://auth.example.com/token'],
]

let sink: TokenServer
let warnings: string[] = []
beforeAll(async () => {
  sink = await startTokenServer()
})
afterAll(() => sink.close())
beforeEach(() => {
  warnings = []
  sink.calls.length = 0
})

function authorizerOf(upstream: string, credential: Credential | undefined) {
  return createAuthorizer({
    upstream: 'registry.example',
    url: new URL(upstream),
    tokenRealms,
    credentials: async () => credential,
    send: plainSend(sink.url),
    warn: (message) => warnings.push(message),
  })
}

function ask(upstream: string, realm: string, credential: Credential | undefined) {
  const quoted = realm.replaceAll('\\', '\\\\')
  const lines = [`Bearer realm="${quoted}",service="s",scope="repository:a/b:pull"`]
  return authorizerOf(upstream, credential).answer(lines, name('a/b'), undefined, AbortSignal.timeout(5_000))
}

describe.each(credentials)('with %s', (_what, credential) => {
  test.each(refused)('a realm that is %s gets no request and no secret', async (_why, upstream, realm) => {
    const error = await caught(ask(upstream, realm, credential))
    expect(error).toMatchObject({ trouble: 'denied', code: 'DENIED', status: 403 })
    expect(sink.calls).toEqual([])
    expect(warnings).toHaveLength(1)
    expect(`${warnings[0]} ${error.detail}`).not.toContain(canary)
  })

  test.each(allowed)('a realm that is %s is asked', async (_why, upstream, realm) => {
    expect(await ask(upstream, realm, credential)).toBe('Bearer token-1')
    expect(sink.received().includes(canary) || sink.received().includes(encodedCanary)).toBe(true)
    expect(warnings).toEqual([])
  })
})

test('a foreign realm gets no request without a credential either', async () => {
  const error = await caught(ask(https, 'https://evil.example/token?sig=hidden', undefined))
  expect(sink.calls).toEqual([])
  expect(error.detail).toBe(
    'registry.example answered 401, and its challenge is not answered: its token server evil.example is not one that it ' +
      'is known to use; if it belongs to registry.example, add evil.example to its `tokenRealms`.',
  )
})

test('the warning names the setting and the host to add, once a host', async () => {
  const authorizer = authorizerOf(https, undefined)
  for (const path of ['token', 'token', 'other']) {
    const lines = [`Bearer realm="https://auth.other.example:8443/${path}"`]
    await caught(authorizer.answer(lines, name('a/b'), undefined, AbortSignal.timeout(5_000)))
  }
  expect(warnings).toEqual([expect.stringMatching(/auth\.other\.example:8443.*`tokenRealms`/)])
})

test('an upstream that invents hosts does not fill the log', async () => {
  const authorizer = authorizerOf(https, undefined)
  for (let index = 0; index < 100; index++) {
    const lines = [`Bearer realm="https://h${index}.example/token"`]
    await caught(authorizer.answer(lines, name('a/b'), undefined, AbortSignal.timeout(5_000)))
  }
  expect(warnings).toHaveLength(16)
})

test('a redirect of the token server is not followed', async () => {
  const other = await startTokenServer()
  sink.answer((_call, response) => response.writeHead(307, { location: other.realm }).end())
  await expect(ask(https, 'https://auth.example.com/token', credentials[0]?.[1])).rejects.toMatchObject({
    trouble: 'wrong',
  })
  expect(other.calls).toEqual([])
  await other.close()
})
