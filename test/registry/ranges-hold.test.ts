/** HEAD, GET and the GET by digest after them agree, also when a newer tag appears in between. */
import { expect, test } from 'vitest'
import { type Doors, openDoors, resolvedTo } from './doors.ts'

const target = '/v2/app/manifests/caret-1.2'
const listsFreshFor = 5_000

async function given(doors: Doors): Promise<string | undefined> {
  return resolvedTo(await doors.head(target)).tag
}

test('HEAD and GET have the same headers, and the digest is served without a call', async () => {
  const doors = await openDoors()
  const [newest] = doors.push('1.9.0')
  await doors.head(target)
  const [head, get] = [await doors.head(target), await doors.get(target)]
  expect({ ...head.headers, date: '' }).toEqual({ ...get.headers, date: '' })
  expect(resolvedTo(get)).toEqual({ status: 200, tag: '1.9.0', digest: newest })
  expect([head.body.length, get.body.length]).toEqual([0, Number(get.headers['content-length'])])
  doors.forget()
  const byDigest = await doors.manifest(newest ?? '')
  expect([byDigest.status, byDigest.body]).toEqual([200, get.body])
  expect(doors.calls()).toEqual([])
})

test('a client that has it already gets 304 with the tag', async () => {
  const doors = await openDoors()
  const [newest] = doors.push('1.9.0')
  const answer = await doors.get(target, { 'If-None-Match': `"${newest}"` })
  expect(resolvedTo(answer)).toEqual({ status: 304, tag: '1.9.0', digest: newest })
})

test('a newer tag moves no answer that was given in the last 10 s, although the list has it', async () => {
  const doors = await openDoors({ listsFreshFor })
  doors.push('1.8.0')
  expect(await given(doors)).toBe('1.8.0')
  doors.push('1.9.0')
  doors.pass(9_000)
  doors.forget()
  expect(resolvedTo(await doors.get(target)).tag).toBe('1.8.0')
  expect(doors.calls()).toContain('GET tags/list')
  const asked = await doors.get('/v2/app/_entrepot/versions/resolve?range=%5E1.2&why=true')
  expect(JSON.parse(asked.body.toString())).toMatchObject({ tag: '1.8.0', candidates: ['1.9.0', '1.8.0'], losers: [] })
  doors.pass(10_000)
  expect(await given(doors)).toBe('1.9.0')
})

test('who asks all the time is moved on 60 s after the newer tag was seen', async () => {
  const doors = await openDoors({ listsFreshFor })
  doors.push('1.8.0')
  await given(doors)
  doors.push('1.9.0')
  const answers: (string | undefined)[] = []
  for (let second = 9; second <= 90; second += 9) {
    doors.pass(9_000)
    answers.push(await given(doors))
  }
  expect(answers.indexOf('1.9.0')).toBe(7)
  expect(answers.lastIndexOf('1.8.0')).toBe(6)
})

test('another range, and another profile, have answers of their own', async () => {
  const doors = await openDoors({ listsFreshFor })
  doors.push('1.8.0')
  await given(doors)
  doors.push('1.9.0')
  doors.pass(6_000)
  expect(await given(doors)).toBe('1.8.0')
  expect(resolvedTo(await doors.manifest('caret-1.3')).tag).toBe('1.9.0')
  expect(resolvedTo(await doors.manifest('caret-1.2?profile=helm')).tag).toBe('1.9.0')
})

test('a tag that is gone is not held', async () => {
  const doors = await openDoors({ listsFreshFor })
  doors.push('1.7.0', '1.8.0')
  await given(doors)
  doors.house.registry.deleteTag('app', '1.8.0')
  doors.pass(6_000)
  expect(await given(doors)).toBe('1.7.0')
})

test('what an outage made of a range stays when the upstream is back, for as long', async () => {
  const doors = await openDoors({ listsFreshFor, restAfterFailure: 1 })
  doors.push('1.8.0', '1.9.0')
  await doors.pullWhole('1.8.0')
  await doors.get('/v2/app/tags/list')
  doors.pass(61_000)
  const end = doors.house.registry.misbehave({}, (_request, response) => void response.writeHead(503).end())
  expect(await given(doors)).toBe('1.8.0')
  end()
  doors.pass(6_000)
  expect(await given(doors)).toBe('1.8.0')
  doors.pass(11_000)
  expect(await given(doors)).toBe('1.9.0')
})

test('in an outage what was given and is kept whole stays, although a better one is kept whole too', async () => {
  const doors = await openDoors({ listsFreshFor })
  doors.push('1.8.0')
  await doors.pullWhole('1.8.0')
  expect(await given(doors)).toBe('1.8.0')
  doors.push('1.9.0')
  await doors.pullWhole('1.9.0')
  doors.pass(6_000)
  expect(await given(doors)).toBe('1.8.0')
  doors.house.registry.misbehave({}, (_request, response) => void response.writeHead(503).end())
  doors.pass(6_000)
  expect(await given(doors)).toBe('1.8.0')
  doors.pass(11_000)
  expect(await given(doors)).toBe('1.9.0')
})

test('in an outage what cannot be pulled is not held', async () => {
  const doors = await openDoors({ listsFreshFor })
  doors.push('1.8.0', '1.9.0')
  await doors.pullWhole('1.8.0')
  expect(await given(doors)).toBe('1.9.0')
  doors.pass(6_000)
  doors.house.registry.misbehave({}, (_request, response) => void response.writeHead(503).end())
  expect(await given(doors)).toBe('1.8.0')
})
