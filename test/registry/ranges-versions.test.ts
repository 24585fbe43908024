/** `tags/list?range=`, `_entrepot/versions/resolve` and the discovery of extensions. */
import { describe, expect, test } from 'vitest'
import { imageType } from '../proxied/house.ts'
import { type Doors, errorOf, openDoors } from './doors.ts'
import { ask as askRegistry, serve } from './serve.ts'

const tags = ['1.2.0', '1.9.0', '1.9.0-alpine', '1.10.0', '2.0.0', 'latest']
const list = '/v2/app/tags/list'
const resolve = '/v2/app/_entrepot/versions/resolve'

async function json(doors: Doors, target: string) {
  const { status, headers, body } = await doors.get(target)
  return { status, link: headers.link, ...JSON.parse(body.toString()) }
}

async function openStocked(...more: Parameters<typeof openDoors>) {
  const doors = await openDoors(...more)
  doors.push(...tags)
  return doors
}

describe('tags/list?range=', () => {
  test('lists what matches, in the order of tags', async () => {
    const doors = await openStocked()
    expect(await json(doors, `${list}?range=%5E1`)).toMatchObject({ name: 'app', tags: ['1.10.0', '1.2.0', '1.9.0'] })
    expect(await json(doors, `${list}?range=caret-1.3`)).toMatchObject({ tags: ['1.10.0', '1.9.0'] })
    expect(doors.calls()).toEqual(['GET tags/list'])
  })

  test('comes in pages whose links keep range and profile', async () => {
    const doors = await openStocked()
    const first = await json(doors, `${list}?range=%3E%3D1.2%20%3C2&profile=helm&n=2`)
    expect(first.tags).toHaveLength(2)
    const [, next = ''] = /^<(.+)>; rel="next"$/.exec(first.link) ?? []
    expect(new URL(next, 'http://x').searchParams.toString()).toContain('range=%3E%3D1.2+%3C2&profile=helm')
    const second = await json(doors, next)
    expect([...first.tags, ...second.tags]).toEqual(['1.10.0', '1.2.0', '1.9.0'])
    expect(second.link).toBeUndefined()
  })

  test('of which nothing matches is an empty list', async () => {
    const doors = await openStocked()
    expect(await json(doors, `${list}?range=%5E7`)).toMatchObject({ status: 200, tags: [], link: undefined })
  })

  test.each(['range=%3E%3E1', 'range=%5E1&profile=npm'])('%s is 400, and nobody is asked', async (query) => {
    const doors = await openStocked()
    const error = errorOf(await doors.get(`${list}?${query}`))
    expect(error).toMatchObject({ status: 400, code: 'MANIFEST_INVALID', detail: { code: 'RANGE_INVALID' } })
    expect(doors.calls()).toEqual([])
  })

  test('is marked stale in an outage', async () => {
    const doors = await openStocked()
    await doors.get(list)
    doors.pass(301_000)
    doors.house.registry.misbehave({}, (_request, response) => void response.writeHead(503).end())
    const answer = await doors.get(`${list}?range=%5E2`)
    expect(answer.headers).toMatchObject({ 'entrepot-cache': 'stale', age: '301', warning: expect.any(String) })
    expect(JSON.parse(answer.body.toString()).tags).toEqual(['2.0.0'])
  })
})

describe('_entrepot/versions/resolve', () => {
  test('says tag, digest and candidates, best first', async () => {
    const doors = await openDoors()
    const digests = doors.push(...tags)
    const before = Date.now()
    const answer = await json(doors, `${resolve}?range=%5E1`)
    expect(answer).toMatchObject({
      status: 200,
      name: 'app',
      range: '^1',
      profile: 'image',
      tag: '1.10.0',
      digest: digests[3],
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      candidates: ['1.10.0', '1.9.0', '1.2.0'],
    })
    expect(answer).not.toHaveProperty('losers')
    expect(answer).not.toHaveProperty('warning')
    expect(Date.parse(answer.freshAt)).toBeGreaterThanOrEqual(before)
    expect(doors.calls()).toEqual(['GET tags/list', 'GET manifests/1.10.0'])
  })

  test('says when the list was fresh', async () => {
    const doors = await openStocked()
    await doors.get(list)
    doors.pass(200_000)
    const { freshAt } = await json(doors, `${resolve}?range=%5E1`)
    const age = Date.now() - Date.parse(freshAt)
    expect(age).toBeGreaterThanOrEqual(200_000)
    expect(age).toBeLessThan(260_000)
  })

  test('with why=true says why each of the others lost', async () => {
    const doors = await openStocked()
    const { losers } = await json(doors, `${resolve}?range=%5E1.3&why=true`)
    expect(losers.map(({ tag }: { tag: string }) => tag)).toEqual(tags.filter((tag) => tag !== '1.10.0').toSorted())
    for (const { reason } of losers) expect(reason).toMatch(/^(is|has|matches)\b/)
  })

  test('takes the spelling in words, partials, and another profile', async () => {
    const doors = await openStocked()
    expect(await json(doors, `${resolve}?range=ge-1.2_lt-1.10`)).toMatchObject({ range: '>=1.2 <1.10', tag: '1.9.0' })
    expect(await json(doors, `${resolve}?range=1.2`)).toMatchObject({ range: '1.2', tag: '1.2.0' })
    expect(await json(doors, `${resolve}?range=%5E1&profile=helm`)).toMatchObject({ profile: 'helm', tag: '1.10.0' })
  })

  test('HEAD has the headers of GET', async () => {
    const doors = await openStocked()
    await doors.head(`${resolve}?range=%5E1`)
    const [head, get] = [await doors.head(`${resolve}?range=%5E1`), await doors.get(`${resolve}?range=%5E1`)]
    expect({ ...head.headers, date: '' }).toEqual({ ...get.headers, date: '' })
    expect(head.body).toHaveLength(0)
  })

  test.each([
    ['', 'names no range'],
    ['?range=%3E%3E1', '>>1'],
    ['?range=%5E1&profile=npm', 'helm, helm-legacy, flux, argo, image'],
  ])('%s is RANGE_INVALID 400, and nobody is asked', async (query, said) => {
    const doors = await openStocked()
    const error = errorOf(await doors.get(`${resolve}${query}`))
    expect(error).toMatchObject({ status: 400, code: 'RANGE_INVALID' })
    expect(`${error.message} ${error.detail?.range}`).toContain(said)
    expect(doors.calls()).toEqual([])
  })

  test('that nothing matches is RANGE_UNSATISFIED 404 with the nearest tags', async () => {
    const doors = await openStocked()
    const error = errorOf(await doors.get(`${resolve}?range=%5E7`))
    expect(error).toMatchObject({ status: 404, code: 'RANGE_UNSATISFIED', detail: { range: '^7', profile: 'image' } })
    expect(error.message).toContain(error.detail.nearest[0])
  })

  test('of a repository that does not exist is NAME_UNKNOWN 404', async () => {
    const doors = await openDoors()
    expect(errorOf(await doors.get(`${resolve}?range=%5E1`))).toMatchObject({ status: 404, code: 'NAME_UNKNOWN' })
  })

  test('of an upstream that gives no answer is no 404', async () => {
    const doors = await openDoors()
    doors.house.registry.misbehave({}, (_request, response) => void response.writeHead(503).end())
    expect(errorOf(await doors.get(`${resolve}?range=%5E1`))).toMatchObject({ status: 503, code: 'UNAVAILABLE' })
  })

  test('in an outage says in headers and body what was preferred', async () => {
    const doors = await openDoors()
    doors.push(...tags)
    await doors.pullWhole('1.9.0')
    await doors.get(list)
    doors.pass(301_000)
    doors.house.registry.misbehave({}, (_request, response) => void response.writeHead(503).end())
    const answer = await doors.get(`${resolve}?range=%5E1`)
    expect(answer.headers).toMatchObject({ 'entrepot-cache': 'stale', age: '301' })
    const body = JSON.parse(answer.body.toString())
    expect(body).toMatchObject({ tag: '1.9.0', candidates: ['1.10.0', '1.9.0', '1.2.0'] })
    expect(body.warning).toContain('1.10.0 matches and is not kept whole, 1.9.0 is')
    expect(answer.headers.warning).toContain(body.warning)
  })

  test('offline knows no time when all of the list was fresh', async () => {
    const doors = await openDoors()
    doors.push(...tags)
    await doors.pullWhole('1.9.0')
    doors.answerBy(doors.house.proxied({ offline: true })('app'))
    const body = await json(doors, `${resolve}?range=%5E1`)
    expect(body).toMatchObject({ status: 200, tag: '1.9.0', candidates: ['1.9.0'] })
    expect(body).not.toHaveProperty('freshAt')
  })
})

describe('_oci/ext/discover', () => {
  test('of the registry names both extensions and where they are', async () => {
    const doors = await openDoors()
    const { status, extensions } = await json(doors, '/v2/_oci/ext/discover')
    expect(status).toBe(200)
    expect(extensions).toEqual([
      expect.objectContaining({ name: '_oci', endpoints: ['/v2/_oci/ext/discover', '/v2/<name>/_oci/ext/discover'] }),
      expect.objectContaining({ name: '_entrepot', endpoints: ['/v2/<name>/_entrepot/versions/resolve'] }),
    ])
    for (const { url, description } of extensions)
      expect([typeof url, typeof description]).toEqual(['string', 'string'])
  })

  test.each(['/v2/team/app', '/ghcr.io/v2/team/app'])('of the repository at %s has its own paths', async (base) => {
    const doors = await openDoors()
    const { extensions } = await json(doors, `${base}/_oci/ext/discover`)
    expect(extensions.flatMap(({ endpoints }: { endpoints: string[] }) => endpoints)).toEqual([
      `${base}/_oci/ext/discover`,
      `${base}/_entrepot/versions/resolve`,
    ])
    expect(doors.calls()).toEqual([])
  })

  test('HEAD has the headers of GET', async () => {
    const doors = await openDoors()
    const [head, get] = [await doors.head('/v2/_oci/ext/discover'), await doors.get('/v2/_oci/ext/discover')]
    expect({ ...head.headers, date: '' }).toEqual({ ...get.headers, date: '' })
  })
})

test('of a list of any size no more than 20,000 are named, and how many are left out is said', async () => {
  const matching = Array.from({ length: 20_005 }, (_, index) => `1.0.${index}`)
  const others = Array.from({ length: 20_001 }, (_, index) => `2.0.${index}`)
  const manifest = { bytes: Buffer.from('{}'), mediaType: imageType }
  const { port } = await serve({ tags: [...matching, ...others], manifests: { '1.0.20004': manifest } })
  const ask = async (query: string) =>
    JSON.parse((await askRegistry(port, 'GET', `/v2/app/_entrepot/versions/resolve?${query}`)).body.toString())
  const found = await ask('range=1.x&why=true')
  expect(found).toMatchObject({ tag: '1.0.20004', candidatesLeftOut: 5 })
  expect([found.candidates.length, found.losers.length, found.losersLeftOut]).toEqual([20_000, 20_000, 20_005])
  const { detail } = (await ask('range=3.x&why=true')).errors[0]
  expect([detail.losers.length, detail.losersLeftOut]).toEqual([20_000, 20_006])
})
