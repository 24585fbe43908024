/** A tag of that name always wins over what it would mean as a range; to know that there is none costs one call at most. */
import { describe, expect, test } from 'vitest'
import { errorOf, openDoors, resolvedTo } from './doors.ts'

const down = (doors: Awaited<ReturnType<typeof openDoors>>) =>
  doors.house.registry.misbehave({}, (_request, response) => void response.writeHead(503).end())

describe('where the literal tag exists', () => {
  test('it is served, with one call and no list', async () => {
    const doors = await openDoors()
    const [, literal] = doors.push('1.9.0', '1.x')
    expect(resolvedTo(await doors.manifest('1.x'))).toEqual({ status: 200, tag: undefined, digest: literal })
    expect(doors.calls()).toEqual(['GET manifests/1.x'])
  })

  test('it is served where the fresh list has it', async () => {
    const doors = await openDoors()
    const [, literal] = doors.push('1.9.0', '1.x')
    await doors.get('/v2/app/tags/list')
    doors.forget()
    expect(resolvedTo(await doors.manifest('1.x'))).toEqual({ status: 200, tag: undefined, digest: literal })
    expect(doors.calls()).toEqual(['GET manifests/1.x'])
  })

  test('it is served where it came after the list that is kept', async () => {
    const doors = await openDoors()
    doors.push('1.9.0')
    await doors.get('/v2/app/tags/list')
    doors.pass(301_000)
    const [literal] = doors.push('1.x')
    doors.forget()
    expect(resolvedTo(await doors.manifest('1.x'))).toEqual({ status: 200, tag: undefined, digest: literal })
    expect(doors.calls()).toContain('GET manifests/1.x')
  })

  test('it is served where it came a minute after a list that is fresh still, or that never lists it', async () => {
    const doors = await openDoors()
    doors.push('1.9.0')
    await doors.get('/v2/app/tags/list')
    const [literal] = doors.push('1.x')
    doors.pass(61_000)
    expect(resolvedTo(await doors.manifest('1.x'))).toEqual({ status: 200, tag: undefined, digest: literal })
  })

  test('it is served although what is kept of it is stale, and its upstream has dropped it', async () => {
    const doors = await openDoors()
    const [, literal] = doors.push('1.9.0', '1.x')
    await doors.manifest('1.x')
    doors.house.registry.deleteTag('app', '1.x')
    doors.pass(61_000)
    const answer = await doors.manifest('1.x')
    expect(resolvedTo(answer)).toEqual({ status: 200, tag: undefined, digest: literal })
    expect(answer.headers['entrepot-cache']).toBe('stale')
  })

  test('it is served from what is kept and fresh, although a newer list lacks it', async () => {
    const doors = await openDoors()
    const [, literal] = doors.push('1.9.0', '1.x')
    await doors.manifest('1.x')
    doors.house.registry.deleteTag('app', '1.x')
    await doors.get('/v2/app/tags/list')
    doors.forget()
    expect(resolvedTo(await doors.manifest('1.x'))).toEqual({ status: 200, tag: undefined, digest: literal })
    expect(doors.calls()).toEqual([])
  })

  test('in an outage it is an error rather than another tag', async () => {
    const doors = await openDoors()
    doors.push('1.9.0', '1.x')
    await doors.pullWhole('1.9.0')
    await doors.get('/v2/app/tags/list')
    doors.pass(301_000)
    down(doors)
    expect(errorOf(await doors.manifest('1.x'))).toMatchObject({ status: 503, code: 'UNAVAILABLE' })
  })

  test('offline it is 404 rather than another tag', async () => {
    const doors = await openDoors()
    doors.push('1.9.0', '1.x')
    await doors.pullWhole('1.9.0')
    await doors.get('/v2/app/tags/list')
    doors.answerBy(doors.house.proxied({ offline: true })('app'))
    doors.forget()
    const error = errorOf(await doors.manifest('1.x'))
    expect(error).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' })
    expect(error.message).toContain('offline')
    expect(doors.calls()).toEqual([])
  })
})

describe('where it does not', () => {
  test('and nothing is kept, that costs one call before the list', async () => {
    const doors = await openDoors()
    const [, newest] = doors.push('1.8.0', '1.9.0', '2.0.0')
    expect(resolvedTo(await doors.manifest('1.x'))).toEqual({ status: 200, tag: '1.9.0', digest: newest })
    expect(doors.calls()).toEqual(['GET manifests/1.x', 'GET tags/list', 'GET manifests/1.9.0'])
  })

  test('the second answer costs no call', async () => {
    const doors = await openDoors()
    doors.push('1.9.0')
    await doors.manifest('1.x')
    doors.forget()
    expect(resolvedTo(await doors.manifest('1.x'))).toMatchObject({ status: 200, tag: '1.9.0' })
    expect(resolvedTo(await doors.manifest('caret-1.2'))).toMatchObject({ status: 200, tag: '1.9.0' })
    expect(doors.calls()).toEqual([])
  })

  test('and a fresh list says so, no call is made about it', async () => {
    const doors = await openDoors()
    doors.push('1.9.0')
    await doors.get('/v2/app/tags/list')
    doors.forget()
    expect(resolvedTo(await doors.manifest('1.x'))).toMatchObject({ status: 200, tag: '1.9.0' })
    expect(doors.calls()).toEqual(['GET manifests/1.9.0'])
  })

  test('and a list says so that is older than a tag may be, one HEAD is made, and none for as long after it', async () => {
    const doors = await openDoors()
    doors.push('1.9.0')
    await doors.get('/v2/app/tags/list')
    await doors.manifest('1.x')
    doors.pass(61_000)
    doors.forget()
    expect(resolvedTo(await doors.manifest('1.x'))).toMatchObject({ status: 200, tag: '1.9.0' })
    expect(resolvedTo(await doors.manifest('1.x'))).toMatchObject({ status: 200, tag: '1.9.0' })
    expect(doors.calls()).toEqual(['HEAD manifests/1.x', 'HEAD manifests/1.9.0'])
  })

  test('and a stale list says so, one HEAD is made and the list asked for', async () => {
    const doors = await openDoors()
    doors.push('1.8.0')
    await doors.get('/v2/app/tags/list')
    doors.pass(301_000)
    doors.push('1.9.0')
    doors.forget()
    expect(resolvedTo(await doors.manifest('1.x'))).toMatchObject({ status: 200, tag: '1.9.0' })
    expect(doors.calls().toSorted()).toEqual(['GET manifests/1.9.0', 'GET tags/list', 'HEAD manifests/1.x'])
  })

  test('and did before, `onUpstreamGone: follow` makes it a range', async () => {
    const doors = await openDoors({ onUpstreamGone: 'follow' })
    doors.push('1.9.0', '1.x')
    await doors.manifest('1.x')
    doors.house.registry.deleteTag('app', '1.x')
    doors.pass(61_000)
    expect(resolvedTo(await doors.manifest('1.x'))).toMatchObject({ status: 200, tag: '1.9.0' })
  })

  test('in an outage the stale list tells, and a tag that is kept whole is served', async () => {
    const doors = await openDoors()
    const [whole] = doors.push('1.8.0', '1.9.0')
    await doors.pullWhole('1.8.0')
    await doors.get('/v2/app/tags/list')
    doors.pass(301_000)
    down(doors)
    const answer = await doors.manifest('1.x')
    expect(resolvedTo(answer)).toEqual({ status: 200, tag: '1.8.0', digest: whole })
    expect(answer.headers).toMatchObject({ 'entrepot-cache': 'stale', age: '301' })
    expect(answer.headers.warning).toContain('upstream.test gave no answer')
    expect(answer.headers.warning).toContain('1.9.0 matches and is not kept whole, 1.8.0 is')
  })

  test('and the upstream hangs, list and tag together take no longer than one of them', async () => {
    const doors = await openDoors({ deadline: 60_000, rangeDeadline: 20 })
    const [whole] = doors.push('1.8.0')
    await doors.pullWhole('1.8.0')
    await doors.get('/v2/app/tags/list')
    doors.pass(301_000)
    doors.house.registry.misbehave({ path: /tags/ }, (_request, response) => void response.writeHead(503).end())
    doors.house.registry.misbehave({ path: /manifests/ }, () => undefined)
    const answer = await doors.manifest('1.x')
    expect(resolvedTo(answer)).toEqual({ status: 200, tag: '1.8.0', digest: whole })
    expect(answer.headers).toMatchObject({ 'entrepot-cache': 'stale', age: '301' })
    expect(doors.calls()).toContain('HEAD manifests/1.8.0')
  })

  test('in an outage without a list nobody knows, and the error is not 404', async () => {
    const doors = await openDoors()
    doors.push('1.8.0')
    await doors.pullWhole('1.8.0')
    down(doors)
    expect(errorOf(await doors.manifest('1.x'))).toMatchObject({ status: 503, code: 'UNAVAILABLE' })
  })

  test('in an outage of which nothing is kept whole, the best is tried and its error told', async () => {
    const doors = await openDoors()
    doors.push('1.8.0', '1.9.0')
    await doors.get('/v2/app/tags/list')
    doors.pass(301_000)
    down(doors)
    expect((await doors.manifest('1.x')).status).toBe(503)
  })

  test('offline only tags that are kept whole count, and nobody is asked', async () => {
    const doors = await openDoors()
    doors.push('1.8.0', '1.9.0', '2.0.0')
    await doors.pullWhole('1.8.0')
    await doors.manifest('1.9.0')
    await doors.get('/v2/app/tags/list')
    doors.answerBy(doors.house.proxied({ offline: true })('app'))
    doors.forget()
    expect(resolvedTo(await doors.manifest('1.x'))).toMatchObject({ status: 200, tag: '1.8.0' })
    expect(JSON.parse((await doors.get('/v2/app/tags/list?range=*')).body.toString()).tags).toEqual(['1.8.0'])
    const error = errorOf(await doors.manifest('caret-2'))
    expect(error).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN', detail: { code: 'RANGE_UNSATISFIED' } })
    expect(error.message).toContain('kept whole here (offline mode)')
    expect(doors.calls()).toEqual([])
  })

  test('offline no list is needed to know', async () => {
    const doors = await openDoors()
    doors.push('1.8.0')
    await doors.pullWhole('1.8.0')
    doors.answerBy(doors.house.proxied({ offline: true })('app'))
    expect(resolvedTo(await doors.manifest('1.x'))).toMatchObject({ status: 200, tag: '1.8.0' })
  })

  test('the answer is as old as the older of list and tag', async () => {
    const doors = await openDoors()
    doors.push('1.8.0')
    await doors.get('/v2/app/tags/list')
    doors.pass(200_000)
    await doors.manifest('1.8.0')
    doors.pass(30_000)
    const answer = await doors.manifest('1.x')
    expect(answer.headers).toMatchObject({ 'entrepot-cache': 'hit', age: '230' })
    doors.pass(71_000)
    await doors.manifest('1.8.0')
    down(doors)
    const stale = await doors.manifest('1.x')
    expect(resolvedTo(stale)).toMatchObject({ status: 200, tag: '1.8.0' })
    expect(stale.headers).toMatchObject({ 'entrepot-cache': 'stale', age: '301', warning: expect.any(String) })
  })

  test('a tag that is listed and gone is passed over', async () => {
    const doors = await openDoors()
    doors.push('1.8.0', '1.9.0')
    await doors.get('/v2/app/tags/list')
    doors.house.registry.deleteTag('app', '1.9.0')
    expect(resolvedTo(await doors.manifest('1.x'))).toMatchObject({ status: 200, tag: '1.8.0' })
    doors.house.registry.deleteTag('app', '1.8.0')
    doors.pass(61_000)
    expect(resolvedTo(await doors.manifest('caret-1.9'))).toMatchObject({ status: 404 })
  })

  test('an upstream that takes too long ends the answer, not the calls', async () => {
    const doors = await openDoors({ rangeTime: 50 })
    doors.push('1.9.0')
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const end = doors.house.registry.misbehave({ path: /tags\/list/ }, async (_request, response) => {
      await held
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"name":"app","tags":["1.9.0"]}')
    })
    const error = errorOf(await doors.manifest('1.x'))
    expect(error).toMatchObject({ status: 504, code: 'UPSTREAM_TIMEOUT' })
    release()
    end()
    await expect.poll(async () => resolvedTo(await doors.manifest('1.x')).tag).toBe('1.9.0')
    expect(doors.calls().filter((call) => call === 'GET tags/list')).toHaveLength(1)
  })
})
