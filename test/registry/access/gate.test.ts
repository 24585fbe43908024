/** Who is let near, by what clients see: the answers of docs/architecture.md, and what they must not tell. */
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { createMemoryHosted } from '../memory-hosted.ts'
import { absentDigest, createMemoryRepository, descriptorOf } from '../memory-repository.ts'
import { exchange } from '../serve.ts'
import { basic, openAccessHouse, type Reply, type RuleText } from './house.ts'

const mediaType = 'application/vnd.oci.image.manifest.v1+json'
const manifest = Buffer.from('{"schemaVersion":2}')
const blob = Buffer.from('layer')
const users = { alice: 'secret of alice', bob: 'secret of bob' }
const alice = basic('alice', users.alice)
const bob = basic('bob', users.bob)
const pullAll: RuleText = { users: ['alice'], repositories: ['**'], actions: ['pull', 'push', 'delete'] }

function privateApp() {
  return {
    ...createMemoryRepository({
      blobs: [blob],
      manifests: { '1.2.3': { bytes: manifest, mediaType } },
      tags: ['1.2.3'],
      referrers: [descriptorOf('signature')],
    }),
    key: 'ghcr.io/acme/private',
  }
}

/** Two repositories of an upstream: one has content, one has nothing. */
async function openPrivate(rules: RuleText[] = [pullAll], more = {}) {
  const repository = privateApp()
  const nothing = { ...createMemoryRepository({}), key: 'ghcr.io/acme/nothing' }
  const repositories = { private: repository, nothing }
  const house = await openAccessHouse({ users, rules, repositories, ...more })
  return { ...house, repository }
}

describe('the ping', () => {
  test('asks everybody to sign in, as a Basic that every client knows', async () => {
    const { ask } = await openPrivate()
    const { status, headers, body } = await ask('GET', '/v2/')
    expect([status, headers['www-authenticate']]).toEqual([401, 'Basic realm="Entrepot", charset="UTF-8"'])
    expect(JSON.parse(body).errors[0].code).toBe('UNAUTHORIZED')
    expect((await ask('GET', '/v2/', alice)).status).toBe(200)
  })

  test('is open where anonymous may pull everything, and still refuses what is wrong', async () => {
    const { ask } = await openPrivate([{ users: ['anonymous'], repositories: ['**'], actions: ['pull'] }])
    expect((await ask('GET', '/v2/')).status).toBe(200)
    expect((await ask('GET', '/v2/', { Authorization: 'Basic Og==' })).status).toBe(200)
    expect((await ask('GET', '/v2/', basic('alice', 'wrong'))).status).toBe(401)
    expect((await ask('GET', '/v2/private/tags/list')).status).toBe(200)
  })

  test('stays closed where anonymous may pull some or push all', async () => {
    const { ask } = await openPrivate([
      { users: ['anonymous'], repositories: ['ghcr.io/**'], actions: ['pull'] },
      { users: ['anonymous'], repositories: ['**'], actions: ['push'] },
    ])
    expect((await ask('GET', '/v2/')).status).toBe(401)
    expect((await ask('GET', '/v2/private/tags/list')).status).toBe(200)
  })
})

describe('rules', () => {
  test('* is every user of the file, and not anonymous', async () => {
    const { ask } = await openPrivate([{ users: ['*'], repositories: ['ghcr.io/acme/*'], actions: ['pull'] }])
    expect((await ask('GET', '/v2/private/tags/list', bob)).status).toBe(200)
    expect((await ask('GET', '/v2/private/tags/list')).status).toBe(401)
  })

  test('what anonymous may do is no right of those who signed in', async () => {
    const { ask } = await openPrivate([{ users: ['anonymous'], repositories: ['**'], actions: ['pull'] }])
    expect((await ask('GET', '/v2/private/tags/list', alice)).status).toBe(404)
  })

  test('without any nobody may do anything', async () => {
    const { ask, repository } = await openPrivate([])
    expect((await ask('GET', '/v2/private/tags/list', alice)).status).toBe(404)
    expect((await ask('GET', '/v2/private/tags/list')).status).toBe(401)
    expect(repository.calls).toEqual([])
  })
})

describe('what strangers learn', () => {
  test('nothing about what is there, and nothing about which upstreams there are', async () => {
    const { ask, repository } = await openPrivate()
    const bodies = new Set<string>()
    for (const name of ['private', 'nothing', 'unknown.example/x', 'never/heard/of'])
      for (const route of ['manifests/1.2.3', `blobs/${digestOf(blob)}`, 'tags/list', '_oci/ext/discover']) {
        const { status, body } = await ask('GET', `/v2/${name}/${route}`)
        expect(status).toBe(401)
        bodies.add(body)
      }
    expect(bodies.size).toBe(1)
    expect(repository.calls).toEqual([])
  })
})

describe('absence', () => {
  const conditions: Record<string, string>[] = [{}, { Range: 'bytes=0-1' }, { 'If-None-Match': `"${digestOf(blob)}"` }]
  const routes = [
    ['GET', 'manifests/1.2.3'],
    ['HEAD', 'manifests/1.2.3'],
    ['GET', 'manifests/1.x'],
    ['GET', 'manifests/%5E1.2'],
    ['GET', `manifests/${digestOf(manifest)}`],
    ['GET', `blobs/${digestOf(blob)}`],
    ['HEAD', `blobs/${digestOf(blob)}`],
    ['GET', 'blobs/sha256:bad'],
    ['GET', 'tags/list'],
    ['GET', 'tags/list?n=1'],
    ['GET', 'tags/list?range=1.x'],
    ['GET', `referrers/${digestOf(manifest)}`],
    ['GET', '_entrepot/versions/resolve?range=1.x'],
    ['GET', '_entrepot/versions/resolve?range=nonsense!'],
  ] as const

  test.each(routes)(
    '%s %s: a repository that may not be pulled answers as one that has nothing',
    async (method, route) => {
      const { ask, repository } = await openPrivate()
      for (const headers of conditions) {
        const denied = await ask(method, `/v2/private/${route}`, { ...bob, ...headers })
        const absent = await ask(method, `/v2/nothing/${route}`, { ...alice, ...headers })
        expect(comparable(denied, 'private')).toEqual(comparable(absent, 'nothing'))
      }
      expect(repository.calls).toEqual([])
    },
  )

  test.each([
    ['GET', `manifests/${absentDigest}`],
    ['GET', `blobs/${absentDigest}`],
    ['DELETE', `manifests/${absentDigest}`],
    ['DELETE', 'manifests/gone'],
    ['DELETE', `blobs/${absentDigest}`],
    ['GET', `referrers/${absentDigest}`],
    ['PATCH', 'blobs/uploads/none'],
    ['DELETE', 'blobs/uploads/none'],
  ])('%s %s: so does a hosted one', async (method, route) => {
    const hosted = { private: createMemoryHosted('hosted/private'), nothing: createMemoryHosted('hosted/nothing') }
    const { ask } = await openAccessHouse({ users, rules: [pullAll], repositories: hosted })
    const denied = await ask(method, `/v2/private/${route}`, bob)
    const absent = await ask(method, `/v2/nothing/${route}`, alice)
    expect(comparable(denied, 'private')).toEqual(comparable(absent, 'nothing'))
  })

  test('names the rules as what may be the reason, to who may see that there is nothing too', async () => {
    const nothing = { ...createMemoryRepository({}), key: 'ghcr.io/acme/nothing' }
    const repositories = { app: createMemoryHosted('hosted/app'), private: privateApp(), nothing }
    const { ask } = await openAccessHouse({ users, rules: [pullAll], repositories })
    const sentence = (name: string) => `There is no repository ${name}, or no rule of "access" lets you pull it.`
    const messageOf = ({ body }: Reply) => JSON.parse(body).errors[0].message
    expect(messageOf(await ask('POST', '/v2/app/blobs/uploads/', bob))).toBe(sentence('app'))
    for (const route of ['tags/list', '_entrepot/versions/resolve?range=1.x'])
      for (const [name, who] of [
        ['private', bob],
        ['nothing', alice],
      ] as const)
        expect(messageOf(await ask('GET', `/v2/${name}/${route}`, who))).toBe(sentence(name))
  })

  test('a range that is held for others is not given to who may not pull', async () => {
    const { ask } = await openPrivate()
    expect((await ask('GET', '/v2/private/manifests/1.x', alice)).status).toBe(200)
    const denied = await ask('GET', '/v2/private/manifests/1.x', bob)
    expect([denied.status, JSON.stringify(denied)]).toEqual([404, expect.not.stringContaining('1.2.3')])
    expect((await ask('GET', '/v2/private/manifests/1.x', alice)).headers).toHaveProperty(
      'entrepot-resolved-tag',
      '1.2.3',
    )
  })

  function comparable({ status, headers, body }: Reply, name: string) {
    const { date: _date, ...others } = headers
    return { status, others: { ...others, 'content-length': '' }, body: body.replaceAll(name, 'NAME') }
  }
})

describe('pushing', () => {
  const puller: RuleText = { users: ['bob'], repositories: ['**'], actions: ['pull'] }

  test('who may pull and not push is told so, and of whom no rule knows', async () => {
    const repositories = { app: createMemoryHosted('hosted/app') }
    const { ask } = await openAccessHouse({ users, rules: [pullAll, puller], repositories })
    const { status, body } = await ask('POST', '/v2/app/blobs/uploads/', bob)
    expect(status).toBe(403)
    expect(JSON.parse(body).errors[0]).toMatchObject({
      code: 'DENIED',
      message: 'bob may not push here: no rule of this registry allows it.',
    })
  })

  test('a stranger who may pull is asked to sign in when it pushes, since clients send credentials only after that', async () => {
    const repositories = { app: createMemoryHosted('hosted/app') }
    const open: RuleText = { users: ['anonymous'], repositories: ['**'], actions: ['pull'] }
    const { ask } = await openAccessHouse({ users, rules: [open], repositories })
    const { status, headers } = await ask('POST', '/v2/app/blobs/uploads/')
    expect([status, 'www-authenticate' in headers]).toEqual([401, true])
  })

  test('an upload is its own: another user who may push finds none', async () => {
    const app = createMemoryHosted('hosted/app')
    const rules: RuleText[] = [{ users: ['*'], repositories: ['**'], actions: ['pull', 'push'] }]
    const { ask } = await openAccessHouse({ users, rules, repositories: { app } })
    const { headers } = await ask('POST', '/v2/app/blobs/uploads/', alice)
    const location = headers.location ?? ''
    expect(app.started).toMatchObject([{ by: 'alice' }])
    expect((await ask('GET', location, bob)).status).toBe(404)
    expect((await ask('PATCH', location, bob, 'theirs')).status).toBe(404)
    expect((await ask('GET', location, alice)).status).toBe(204)
  })

  test('a push to an upstream says to who may pull that it is none of theirs, whoever it is', async () => {
    const { ask } = await openPrivate([pullAll, puller])
    for (const who of [alice, bob]) {
      const { status, body } = await ask('POST', '/v2/private/blobs/uploads/', who)
      expect([status, body]).toEqual([405, expect.stringContaining('"hosted:')])
    }
  })
})

describe('signing in', () => {
  test('who is taken out of the file is a stranger at the next request, though it was remembered', async () => {
    const { ask, setUsers } = await openPrivate()
    expect((await ask('GET', '/v2/private/tags/list', alice)).status).toBe(200)
    setUsers({ bob: users.bob })
    expect((await ask('GET', '/v2/private/tags/list', alice)).status).toBe(401)
    setUsers({ ...users, alice: 'another' })
    expect((await ask('GET', '/v2/private/tags/list', alice)).status).toBe(401)
    expect((await ask('GET', '/v2/private/tags/list', basic('alice', 'another'))).status).toBe(200)
  })

  test('wrong credentials get no further than that, where anonymous may pull too', async () => {
    const { ask, repository } = await openPrivate([{ users: ['anonymous'], repositories: ['**'], actions: ['pull'] }])
    expect((await ask('GET', '/v2/private/tags/list', basic('alice', 'wrong'))).status).toBe(401)
    expect(repository.calls).toEqual([])
  })

  test('no user is called anonymous: that name has no password', async () => {
    const { ask } = await openPrivate([{ users: ['anonymous'], repositories: ['**'], actions: ['pull'] }])
    expect((await ask('GET', '/v2/', basic('anonymous', ''))).status).toBe(401)
    expect((await ask('GET', '/v2/', basic('*', 'x'))).status).toBe(401)
  })

  test('no warning has a password, or the name of nobody', async () => {
    const { ask, warned, failures } = await openPrivate([pullAll], { warnEvery: 0 })
    await ask('GET', '/v2/', basic('alice', 'hunter2'))
    await ask('GET', '/v2/', basic('hunter2', 'hunter2'))
    expect(failures()).toBe(2)
    expect(warned).toHaveLength(2)
    expect(JSON.stringify(warned)).not.toContain('hunter2')
  })

  test('the checks of Host and of web pages come first', async () => {
    const { port, ask, failures } = await openPrivate()
    const lines = ['GET /v2/ HTTP/1.1', 'Connection: close', `Authorization: ${basic('alice', 'wrong').Authorization}`]
    expect((await exchange(port, [...lines, 'Host: evil.example', '', ''].join('\r\n'))).status).toBe(403)
    expect((await ask('GET', '/v2/', { ...alice, Origin: 'https://evil.example' })).status).toBe(403)
    expect(failures()).toBe(0)
  })

  test('health needs no credentials, and wrong ones do not matter there', async () => {
    const { ask, failures } = await openPrivate()
    expect((await ask('GET', '/readyz')).status).toBe(200)
    expect((await ask('GET', '/livez', basic('alice', 'wrong'))).status).toBe(200)
    expect(failures()).toBe(0)
  })
})
