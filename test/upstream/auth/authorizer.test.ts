/** The authorizer against a real token server at the upstream's own host and port. */
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AuthorizerOptions, createAuthorizer } from '../../../src/upstream/authorizer.ts'
import type { Credential } from '../../../src/upstream/credential.ts'
import { secret } from '../../../src/oci/secret.ts'
import { caught } from '../caught.ts'
import { basicHeader, login, name, plainSend, reply, startTokenServer, type TokenServer } from './support.ts'

const repository = name('team/app')
const scope = 'repository:team/app:pull'
const soon = () => AbortSignal.timeout(5_000)

let server: TokenServer
let clock = 0
beforeEach(async () => {
  clock = 0
  server = await startTokenServer()
})
afterEach(() => server.close())

function authorizerWith(credential: Credential | undefined, more: Partial<AuthorizerOptions> = {}) {
  return createAuthorizer({
    upstream: 'registry.example',
    url: server.url,
    tokenRealms: [],
    credentials: async () => credential,
    send: plainSend(),
    warn: () => {},
    now: () => clock,
    ...more,
  })
}

function bearer(more = ''): string[] {
  return [`Bearer realm="${server.realm}",service="registry",scope="repository:evil/other:pull,push"${more}`]
}

describe('without a credential', () => {
  test('an anonymous token is fetched by GET, for a scope of our own', async () => {
    expect(await authorizerWith(undefined).answer(bearer(), repository, undefined, soon())).toBe('Bearer token-1')
    expect(server.calls).toHaveLength(1)
    expect(server.calls[0]?.method).toBe('GET')
    expect(server.calls[0]?.headers.authorization).toBeUndefined()
    expect(Object.fromEntries(server.calls[0]?.url.searchParams ?? [])).toEqual({ service: 'registry', scope })
  })

  test('Basic alone cannot be answered', async () => {
    expect(await authorizerWith(undefined).answer(['Basic realm="r"'], repository, undefined, soon())).toBeUndefined()
  })

  test('the identity is anonymous', async () => {
    expect(await authorizerWith(undefined).identity(repository)).toBe('anonymous')
  })
})

describe('with a password', () => {
  test('Basic is answered and remembered for the repository', async () => {
    const authorizer = authorizerWith(login('octocat', 'pw:1'))
    expect(await authorizer.header(repository)).toBeUndefined()
    expect(await authorizer.answer(['Basic realm="r"'], repository, undefined, soon())).toBe(
      basicHeader('octocat', 'pw:1'),
    )
    expect(await authorizer.header(repository)).toBe(basicHeader('octocat', 'pw:1'))
    expect(await authorizer.header(name('team/other'))).toBeUndefined()
    expect(server.calls).toEqual([])
  })

  test('Bearer is preferred to Basic, in whatever order they are offered', async () => {
    const authorizer = authorizerWith(login('octocat', 'pw'))
    const challenges = ['Basic realm="r"', ...bearer()]
    expect(await authorizer.answer(challenges, repository, undefined, soon())).toBe('Bearer token-1')
    const [call] = server.calls
    expect(call?.headers.authorization).toBe(basicHeader('octocat', 'pw'))
    expect(call?.url.searchParams.get('account')).toBe('octocat')
  })

  test('Basic is taken where the realm of Bearer may not be asked', async () => {
    const challenges = ['Bearer realm="https://evil.example/token"', 'Basic realm="r"']
    const header = await authorizerWith(login('octocat', 'pw')).answer(challenges, repository, undefined, soon())
    expect(header).toBe(basicHeader('octocat', 'pw'))
  })

  test('the same Basic is not tried twice', async () => {
    const sent = basicHeader('octocat', 'pw')
    const header = await authorizerWith(login('octocat', 'pw')).answer(['Basic realm="r"'], repository, sent, soon())
    expect(header).toBeUndefined()
  })

  test('a rotated password is found and tried', async () => {
    let password = 'old'
    const refused = () => (password = 'new')
    const credentials = async () => ({ ...login('octocat', password), refused })
    const authorizer = authorizerWith(undefined, { credentials })
    const sent = basicHeader('octocat', 'old')
    expect(await authorizer.answer(['Basic realm="r"'], repository, sent, soon())).toBe(basicHeader('octocat', 'new'))
  })

  test('a password that the token server refuses is looked up once more', async () => {
    let password = 'old'
    const refused = () => (password = 'new')
    server.answer(({ headers }, response) => {
      const right = headers.authorization === basicHeader('octocat', 'new')
      reply(response, right ? { token: 'good' } : {}, right ? 200 : 401)
    })
    const authorizer = authorizerWith(undefined, {
      credentials: async () => ({ ...login('octocat', password), refused }),
    })
    expect(await authorizer.answer(bearer(), repository, undefined, soon())).toBe('Bearer good')
    expect(server.calls).toHaveLength(2)
  })

  test("the realm's own query is kept, but not what is ours to say", async () => {
    const realm = `${server.realm}?tenant=7&scope=repository:evil/other:push&account=root&service=x`
    await authorizerWith(login('octocat', 'pw')).answer(
      [`Bearer realm="${realm}",service="registry"`],
      repository,
      undefined,
      soon(),
    )
    expect([...(server.calls[0]?.url.searchParams ?? [])]).toEqual([
      ['tenant', '7'],
      ['account', 'octocat'],
      ['service', 'registry'],
      ['scope', scope],
    ])
  })
})

describe('with an identity token', () => {
  const refresh = { identity: 'docker:<token>', username: '', identityToken: secret('refresh-1') }

  test('it is exchanged by POST', async () => {
    server.answer((_call, response) => reply(response, { access_token: 'exchanged' }))
    expect(await authorizerWith(refresh).answer(bearer(), repository, undefined, soon())).toBe('Bearer exchanged')
    const [call] = server.calls
    expect(call?.method).toBe('POST')
    expect(call?.headers.authorization).toBeUndefined()
    expect(call?.url.search).toBe('')
    expect(Object.fromEntries(new URLSearchParams(call?.body))).toEqual({
      grant_type: 'refresh_token',
      service: 'registry',
      client_id: 'entrepot',
      scope,
      refresh_token: 'refresh-1',
    })
  })

  test.each([400, 401, 404, 405])('a POST that is answered %i falls back to GET with the password', async (status) => {
    server.answer(({ method }, response) => reply(response, { token: 'by-get' }, method === 'POST' ? status : 200))
    const both = { ...login('octocat', 'pw'), identityToken: secret('refresh-1') }
    expect(await authorizerWith(both).answer(bearer(), repository, undefined, soon())).toBe('Bearer by-get')
    expect(server.calls.map(({ method, headers }) => [method, headers.authorization])).toEqual([
      ['POST', undefined],
      ['GET', basicHeader('octocat', 'pw')],
    ])
  })

  test('without a password a refused POST is a denial', async () => {
    server.answer((_call, response) => reply(response, {}, 401))
    const answer = authorizerWith(refresh).answer(bearer(), repository, undefined, soon())
    await expect(answer).rejects.toMatchObject({ trouble: 'denied' })
    expect(server.calls).toHaveLength(1)
  })
})

test('a registry token is sent as it is', async () => {
  const authorizer = authorizerWith({ identity: 'docker:<token>', username: '', registryToken: secret('verbatim') })
  expect(await authorizer.answer(bearer(), repository, undefined, soon())).toBe('Bearer verbatim')
  expect(await authorizer.answer(bearer(), repository, 'Bearer verbatim', soon())).toBeUndefined()
  expect(server.calls).toEqual([])
})

describe('tokens', () => {
  test('one is used until shortly before its end, then replaced without a 401', async () => {
    const authorizer = authorizerWith(undefined)
    await authorizer.answer(bearer(), repository, undefined, soon())
    clock = 269_999
    expect(await authorizer.header(repository)).toBe('Bearer token-1')
    clock = 270_000
    expect(await authorizer.header(repository)).toBe('Bearer token-2')
    expect(server.calls).toHaveLength(2)
  })

  const lifetimes: [told: unknown, lastUse: number][] = [
    [undefined, 44],
    [1, 44],
    [-5, 44],
    ['nonsense', 44],
    [60, 44],
    ['120', 89],
    [3600, 3569],
    [1e9, 3569],
    [null, 44],
  ]
  test.each(lifetimes)('one with expires_in %j is last used after %i s', async (told, lastUse) => {
    server.answer((_call, response) => reply(response, { token: `token-${server.calls.length}`, expires_in: told }))
    const authorizer = authorizerWith(undefined)
    await authorizer.answer(bearer(), repository, undefined, soon())
    clock = lastUse * 1000
    expect(await authorizer.header(repository)).toBe('Bearer token-1')
    clock = (lastUse + 1) * 1000
    expect(await authorizer.header(repository)).toBe('Bearer token-2')
  })

  test('one that the upstream refused is dropped and fetched once', async () => {
    const authorizer = authorizerWith(undefined)
    const sent = await authorizer.answer(bearer(), repository, undefined, soon())
    expect(await authorizer.answer(bearer(), repository, sent, soon())).toBe('Bearer token-2')
    expect(await authorizer.header(repository)).toBe('Bearer token-2')
    expect(server.calls).toHaveLength(2)
  })

  test('many requests that were refused with the same one cause one request', async () => {
    const authorizer = authorizerWith(undefined)
    const sent = await authorizer.answer(bearer(), repository, undefined, soon())
    const together = Array.from({ length: 20 }, () => authorizer.answer(bearer(), repository, sent, soon()))
    expect(new Set(await Promise.all(together))).toEqual(new Set(['Bearer token-2']))
    expect(await authorizer.answer(bearer(), repository, sent, soon())).toBe('Bearer token-2')
    expect(server.calls).toHaveLength(2)
  })

  test('when the server gives the refused one out again, the 401 stands', async () => {
    server.answer((_call, response) => reply(response, { token: 'always' }))
    const authorizer = authorizerWith(undefined)
    const sent = await authorizer.answer(bearer(), repository, undefined, soon())
    expect(await authorizer.answer(bearer(), repository, sent, soon())).toBeUndefined()
  })

  test('100 first requests for one repository cause one request, two repositories two', async () => {
    const authorizer = authorizerWith(login('octocat', 'pw'))
    const ask = (text: string) => authorizer.answer(bearer(), name(text), undefined, soon())
    await Promise.all(Array.from({ length: 100 }, (_, index) => ask(index % 2 ? 'team/app' : 'team/other')))
    expect(server.calls).toHaveLength(2)
    expect(new Set(server.calls.map(({ url }) => url.searchParams.get('scope')))).toEqual(
      new Set(['repository:team/app:pull', 'repository:team/other:pull']),
    )
  })

  test('they are not shared between credentials', async () => {
    let credential = login('one', 'pw')
    const authorizer = authorizerWith(undefined, { credentials: async () => credential })
    expect(await authorizer.answer(bearer(), repository, undefined, soon())).toBe('Bearer token-1')
    credential = login('two', 'pw')
    expect(await authorizer.header(repository)).toBe('Bearer token-2')
  })

  test('who gives up waiting does not take the token from others', async () => {
    const { promise: asked, resolve: onAsked } = Promise.withResolvers<() => void>()
    server.answer((_call, response) => onAsked(() => reply(response, { token: 'late' })))
    const authorizer = authorizerWith(undefined)
    const leaving = new AbortController()
    const gone = authorizer.answer(bearer(), repository, undefined, leaving.signal)
    const stays = authorizer.answer(bearer(), repository, undefined, soon())
    const release = await asked
    leaving.abort(new Error('client left'))
    await expect(gone).rejects.toThrow('client left')
    release()
    expect(await stays).toBe('Bearer late')
    expect(server.calls).toHaveLength(1)
  })
})

function lacking(wanted: string): string[] {
  return [`Bearer realm="${server.realm}",service="registry",error="insufficient_scope",scope="${wanted}"`]
}

describe('a token that lacks the scope', () => {
  test('is replaced by one for the scope of the challenge, if that names the repository', async () => {
    const authorizer = authorizerWith(undefined)
    const sent = await authorizer.answer(bearer(), repository, undefined, soon())
    expect(await authorizer.answer(lacking(`${scope},metadata_read`), repository, sent, soon())).toBe('Bearer token-2')
    expect(server.calls[1]?.url.searchParams.getAll('scope')).toEqual([`${scope},metadata_read`])
  })

  test.each([
    'repository:team/other:pull',
    'repository:team/app2:pull',
    'repository:team/app:pull repository:team/other:pull',
    'registry:catalog:*',
    'repository:team/app:',
    'repository:team/app:pull&scope=x',
    '',
  ])('is not replaced by one for %j', async (wanted) => {
    const authorizer = authorizerWith(undefined)
    const sent = await authorizer.answer(bearer(), repository, undefined, soon())
    await authorizer.answer(lacking(wanted), repository, sent, soon())
    expect(server.calls[1]?.url.searchParams.getAll('scope')).toEqual([scope])
  })

  test('needs a token that was sent: a first challenge never chooses the scope', async () => {
    await authorizerWith(undefined).answer(lacking(`${scope},push`), repository, undefined, soon())
    expect(server.calls[0]?.url.searchParams.getAll('scope')).toEqual([scope])
  })
})

describe('a token server that gives no token', () => {
  const answers: [status: number, body: unknown, trouble: string][] = [
    [401, {}, 'denied'],
    [403, {}, 'denied'],
    [429, {}, 'limited'],
    [500, {}, 'unreachable'],
    [502, 'bad gateway', 'unreachable'],
    [503, {}, 'unreachable'],
    [404, {}, 'wrong'],
    [302, {}, 'wrong'],
    [204, '', 'wrong'],
    [200, 'not json', 'wrong'],
    [200, '[]', 'wrong'],
    [200, '"token"', 'wrong'],
    [200, {}, 'wrong'],
    [200, { token: 7 }, 'wrong'],
    [200, { token: '' }, 'wrong'],
    [200, { token: 'a b' }, 'wrong'],
    [200, { token: 'a\r\nX-Evil: 1' }, 'wrong'],
    [200, { token: 'é' }, 'wrong'],
    [200, { token: 'x'.repeat(16_385) }, 'wrong'],
    [200, { token: 'x', padding: 'x'.repeat(64 * 1024) }, 'wrong'],
  ]
  test.each(answers)('%i is told apart', async (status, body, trouble) => {
    server.answer((_call, response) => (status === 204 ? response.writeHead(204).end() : reply(response, body, status)))
    const answer = authorizerWith(login('octocat', 'pa55word')).answer(bearer(), repository, undefined, soon())
    await expect(answer).rejects.toMatchObject({ name: 'UpstreamError', upstream: 'registry.example', trouble })
    const error = await answer.catch((thrown: unknown) => thrown)
    expect(`${inspect(error, { depth: 10 })} ${JSON.stringify(error)}`).not.toMatch(/pa55word|b2N0b2NhdDpwYTU1d29yZA/)
  })

  test('one that refuses a credential tells the log whose it is, once a minute, and clients not', async () => {
    const warnings: string[] = []
    server.answer((_call, response) => reply(response, {}, 401))
    const authorizer = authorizerWith(login('octocat', 'pw'), { warn: (message) => void warnings.push(message) })
    const error = await caught(authorizer.answer(bearer(), repository, undefined, soon()))
    expect(error.detail).toBe(`the token server ${server.url.host} of registry.example refused our credential (401)`)
    await caught(authorizer.answer(bearer(), repository, undefined, soon()))
    const warning = `the token server ${server.url.host} of registry.example refused the credential config:octocat (401)`
    expect(warnings).toEqual([warning])
    clock = 60_000
    await caught(authorizer.answer(bearer(), repository, undefined, soon()))
    expect(warnings).toEqual([warning, warning])
  })

  test('one that cannot be reached is a bad gateway', async () => {
    server.answer((_call, response) => response.destroy())
    const error = await caught(authorizerWith(undefined).answer(bearer(), repository, undefined, soon()))
    expect(error).toMatchObject({ trouble: 'unreachable', code: 'UNAVAILABLE', status: 502 })
  })

  test('a token of 16,384 characters is still one', async () => {
    server.answer((_call, response) => reply(response, { token: 'x'.repeat(16_384) }))
    expect(await authorizerWith(undefined).answer(bearer(), repository, undefined, soon())).toHaveLength(16_391)
  })

  test('a silent one is unreachable after the time it has', async () => {
    server.answer(() => {})
    const answer = authorizerWith(undefined, { tokenWithin: 50 }).answer(bearer(), repository, undefined, soon())
    await expect(answer).rejects.toMatchObject({ trouble: 'unreachable', code: 'UPSTREAM_TIMEOUT' })
  })

  test('so is one that never ends its body', async () => {
    server.answer((_call, response) => {
      response.writeHead(200)
      response.write('{"token":')
    })
    const answer = authorizerWith(undefined, { tokenWithin: 50 }).answer(bearer(), repository, undefined, soon())
    await expect(answer).rejects.toMatchObject({ trouble: 'unreachable', code: 'UPSTREAM_TIMEOUT' })
  })

  test('so is one that closes the connection', async () => {
    server.answer((_call, response) => response.destroy())
    const answer = authorizerWith(undefined).answer(bearer(), repository, undefined, soon())
    await expect(answer).rejects.toMatchObject({ trouble: 'unreachable' })
  })

  test('a 429 stops further requests until its Retry-After', async () => {
    server.answer((_call, response) => reply(response, {}, 429, { 'retry-after': '30' }))
    const authorizer = authorizerWith(undefined)
    const first = authorizer.answer(bearer(), repository, undefined, soon())
    await expect(first).rejects.toMatchObject({ trouble: 'limited', retryAfter: 30 })
    clock = 10_000
    const second = authorizer.answer(bearer(), name('team/other'), undefined, soon())
    await expect(second).rejects.toMatchObject({ trouble: 'limited', retryAfter: 20 })
    expect(server.calls).toHaveLength(1)
    server.answer((_call, response) => reply(response, { token: 'again' }))
    clock = 30_000
    expect(await authorizer.answer(bearer(), repository, undefined, soon())).toBe('Bearer again')
  })

  test('a failure is not remembered: the next request asks again', async () => {
    server.answer((_call, response) => reply(response, {}, 503))
    const authorizer = authorizerWith(undefined)
    await expect(authorizer.answer(bearer(), repository, undefined, soon())).rejects.toMatchObject({
      trouble: 'unreachable',
    })
    server.answer((_call, response) => reply(response, { token: 'well' }))
    expect(await authorizer.answer(bearer(), repository, undefined, soon())).toBe('Bearer well')
  })

  test('when a token cannot be replaced, the next request starts without one', async () => {
    const authorizer = authorizerWith(undefined)
    await authorizer.answer(bearer(), repository, undefined, soon())
    server.answer((_call, response) => reply(response, {}, 503))
    clock = 300_000
    await expect(authorizer.header(repository)).rejects.toMatchObject({ trouble: 'unreachable' })
    expect(await authorizer.header(repository)).toBeUndefined()
  })
})

test('a 401 without a challenge that we know stands', async () => {
  const authorizer = authorizerWith(login('octocat', 'pw'))
  for (const lines of [[], ['Negotiate'], ['Digest realm="r", nonce="n"']]) {
    expect(await authorizer.answer(lines, repository, undefined, soon())).toBeUndefined()
  }
  expect(server.calls).toEqual([])
})

test('a challenge without a realm is a denial that says so', async () => {
  const answer = authorizerWith(undefined).answer(['Bearer service="no realm"'], repository, undefined, soon())
  expect((await caught(answer)).detail).toMatch(/answered 401, .*: its realm is no absolute URL\.$/)
})

test('a credential that cannot be looked up is a failure, not an anonymous request', async () => {
  const authorizer = authorizerWith(undefined, { credentials: () => Promise.reject(new Error('helper broken')) })
  await expect(authorizer.answer(bearer(), repository, undefined, soon())).rejects.toThrow('helper broken')
  await expect(authorizer.identity(repository)).rejects.toThrow('helper broken')
  expect(server.calls).toEqual([])
})
