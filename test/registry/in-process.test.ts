/** The app called without a server, as the CLI does. */
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { createRanges } from '../../src/repository/ranges.ts'
import { createRegistry } from '../../src/registry/registry.ts'
import { createMemoryHosted } from './memory-hosted.ts'
import { type MemoryContent, createMemoryRepository } from './memory-repository.ts'
import { endingEarly, failingAt, withoutSize, zeros } from './sources.ts'

const blob = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251))
const target = `/v2/a/blobs/${digestOf(blob)}`
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

function create(content: MemoryContent) {
  const repository = createMemoryRepository(content)
  const rules = { mode: 'on', profile: 'image' } as const
  const resolve = () => ({ repository, rules })
  return { repository, app: createRegistry({ resolve, ranges: createRanges(), names: [], log: quiet }) }
}

describe('without a server', () => {
  test('a blob has the headers of the contract and all of its bytes', async () => {
    const { app, repository } = create({ blobs: [blob] })
    const response = await app.request(target)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(blob.length),
      'docker-distribution-api-version': 'registry/2.0',
    })
    expect(digestOf(new Uint8Array(await response.arrayBuffer()))).toBe(digestOf(blob))
    expect(repository.open()).toBe(0)
  })

  test('a blob of unknown size ends at its end', async () => {
    const { app } = create({ blobs: [blob], wrap: withoutSize })
    const response = await app.request(target)
    expect(digestOf(new Uint8Array(await response.arrayBuffer()))).toBe(digestOf(blob))
  })

  test('a range is served', async () => {
    const { app } = create({ blobs: [blob] })
    const response = await app.request(target, { headers: { Range: 'bytes=10-19' } })
    expect(response.status).toBe(206)
    expect(Buffer.from(await response.arrayBuffer()).equals(blob.subarray(10, 20))).toBe(true)
  })

  test.each([
    ['fails', failingAt(100_000), 'the disk has failed'],
    ['ends early', endingEarly, 'a body has ended early'],
  ])('a source that %s is an error to its reader', async (_how, wrap, message) => {
    const { app, repository } = create({ blobs: [blob], wrap })
    const response = await app.request(target)
    await expect(response.arrayBuffer()).rejects.toThrow(message)
    expect(repository.open()).toBe(0)
  })

  test('a reader that cancels closes the source', async () => {
    const { app, repository } = create({ blobs: [blob], wrap: zeros(2 ** 30) })
    const response = await app.request(target)
    await response.body?.cancel()
    expect(repository.open()).toBe(0)
  })

  test('manifests, lists, errors and HEAD are answered as over a socket', async () => {
    const { app } = create({ tags: ['1'], blobs: [blob] })
    expect(await (await app.request('/v2/a/tags/list')).json()).toEqual({ name: 'a', tags: ['1'] })
    expect((await app.request('/v2/a/manifests/absent')).status).toBe(404)
    const head = await app.request(target, { method: 'HEAD' })
    expect(head.headers.get('content-length')).toBe(String(blob.length))
    expect(head.body).toBeNull()
  })

  test('a request to a name that is not ours is refused', async () => {
    const { app } = create({})
    expect((await app.request('http://evil.example/v2/')).status).toBe(403)
  })
})

test('a push without a server has its body too', async () => {
  const repository = createMemoryHosted()
  const resolve = () => ({ repository, rules: { mode: 'on', profile: 'image' } as const })
  const app = createRegistry({ resolve, ranges: createRanges(), names: [], log: quiet })
  const started = await app.request('/v2/a/blobs/uploads/', { method: 'POST' })
  const session = started.headers.get('location') ?? ''
  const half = blob.length / 2
  const first = await app.request(session, { method: 'PATCH', body: blob.subarray(0, half) })
  expect([first.status, first.headers.get('range')]).toEqual([202, `0-${half - 1}`])
  const done = await app.request(`${session}?digest=${digestOf(blob)}`, { method: 'PUT', body: blob.subarray(half) })
  expect([done.status, repository.blobs.get(digestOf(blob))?.length]).toEqual([201, blob.length])
})
