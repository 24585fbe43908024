/** What is pushed into a hosted repository and deleted from it is visible at once, to ranges too: nothing is held against it. */
import { expect, test } from 'vitest'
import { createRanges } from '../../src/repository/ranges.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { imageOf, openHouse } from '../hosted/house.ts'
import { resolvedTo } from './doors.ts'
import { ask, exchange, requestText, serve } from './serve.ts'

async function openHostedDoors() {
  const house = await openHouse()
  const repository = house.repository('charts/app')
  const resolve = () => ({ repository, rules: { mode: 'on', profile: 'image' } as const, key: repository.key })
  const { port } = await serve({}, { resolve, ranges: createRanges() })
  const path = '/v2/charts/app/manifests'
  return {
    given: async (method: string) => resolvedTo(await ask(port, method, `${path}/caret-1.2`)),
    push: async (tag: string, text = tag): Promise<string> => {
      const bytes = Buffer.from(await imageOf(repository, { more: { annotations: { text } } }))
      const headers = { 'Content-Type': ociManifest, 'Content-Length': String(bytes.length) }
      const head = requestText('PUT', `${path}/${tag}`, headers)
      expect((await exchange(port, Buffer.concat([Buffer.from(head), bytes]))).status).toBe(201)
      return digestOf(bytes)
    },
    remove: async (reference: string) => (await ask(port, 'DELETE', `${path}/${reference}`)).status,
  }
}

test('a better version that is pushed is the answer of the next request', async () => {
  const { given, push } = await openHostedDoors()
  const first = await push('1.2.0')
  expect(await given('HEAD')).toEqual({ status: 200, tag: '1.2.0', digest: first })
  const second = await push('1.3.0')
  expect(await given('GET')).toEqual({ status: 200, tag: '1.3.0', digest: second })
  const third = await push('1.4.0')
  expect(await given('HEAD')).toEqual({ status: 200, tag: '1.4.0', digest: third })
})

test.each(['the tag', 'the manifest'])('after %s that was the answer is deleted, the next best is', async (what) => {
  const { given, push, remove } = await openHostedDoors()
  const first = await push('1.2.0')
  const second = await push('1.3.0')
  expect((await given('GET')).tag).toBe('1.3.0')
  expect(await remove(what === 'the tag' ? '1.3.0' : second)).toBe(202)
  expect(await given('GET')).toEqual({ status: 200, tag: '1.2.0', digest: first })
  expect(await push('1.3.0')).toBe(second)
  expect(await given('GET')).toEqual({ status: 200, tag: '1.3.0', digest: second })
})

test('where the tag that was the answer has moved, it is what it means now', async () => {
  const { given, push, remove } = await openHostedDoors()
  const first = await push('1.2.0')
  expect(await given('GET')).toMatchObject({ digest: first })
  const second = await push('1.2.0', 'another')
  expect(await given('HEAD')).toEqual({ status: 200, tag: '1.2.0', digest: second })
  expect(await remove('1.2.0')).toBe(202)
  expect((await given('GET')).status).toBe(404)
})
