import * as fc from 'fast-check'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createRoom } from '../../src/catalog/room.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import type { Repository } from '../../src/repository/repository.ts'
import type { BlobStore } from '../../src/store/blob-store.ts'
import type { Handler } from '../support/scripted-registry.ts'
import { drainBlob, filesIn, type House, openHouse, repositoryName } from './house.ts'

const blobs = /\/blobs\//
const MiB = 1024 * 1024

/** Answers with the first bytes, and resets the connection; then as a registry does. */
function breaksAfter(body: Buffer, bytes: number): Handler {
  return (request, response) => {
    response.writeHead(200, { 'content-length': body.length })
    response.write(body.subarray(0, bytes), () => request.socket.destroy())
  }
}

const resets: Handler = (request) => void request.socket.destroy()

async function isKept(house: House, name: string, digest: Digest, origin = 'upstream.test') {
  const link = await house.catalog.link({ origin, name: repositoryName(name) }, 'blob', digest)
  return link !== undefined && (await house.catalog.blob(digest)) !== undefined
}

/** Files that become durable when the test says so. */
function slowCommit() {
  const begun = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const filesFrom = (files: BlobStore): BlobStore => ({
    ...files,
    async adopt(spool, blob) {
      begun.resolve()
      await go.promise
      await files.adopt(spool, blob)
    },
  })
  return { filesFrom, begun: begun.promise, go: go.resolve }
}

/** A blob of which a part is spooled, and whose transfer then broke for good. */
async function withPartial(options: Parameters<typeof openHouse>[0] = {}) {
  const house = await openHouse(options)
  const body = randomBytes(MiB)
  const digest = house.registry.putBlob('app', body)
  const stop = house.registry.misbehave({ method: 'GET', path: blobs }, resets)
  house.registry.misbehave({ method: 'GET', path: blobs, times: 1 }, breaksAfter(body, 700_000))
  await expect(drainBlob(await house.repository('app').blob(digest))).rejects.toMatchObject({ trouble: 'unreachable' })
  await expect.poll(async () => (await house.spools.sweep(60_000)).kept).toBeGreaterThan(0)
  stop()
  const partial = (await house.spools.sweep(60_000)).kept
  return { house, body, digest, partial }
}

describe('many readers of one download', () => {
  it('slow and fast, late and leaving, get right bytes or their own abort, from exactly one transfer', async () => {
    const reader = fc.record({
      late: fc.integer({ min: 0, max: 30 }),
      step: fc.integer({ min: 1_000, max: 300_000 }),
      pause: fc.integer({ min: 0, max: 3 }),
      leavesAt: fc.option(fc.integer({ min: 0, max: 2 * MiB }), { freq: 2 }),
      range: fc.option(
        fc.record({ from: fc.integer({ min: 0, max: MiB }), to: fc.integer({ min: MiB, max: 3 * MiB }) }),
        { freq: 3 },
      ),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(reader, { minLength: 64, maxLength: 64 }), async (readers) => {
        const house = await openHouse()
        const body = randomBytes(2 * MiB)
        const digest = house.registry.putBlob('app', body)
        const repository = house.repository('app')
        const right = await Promise.all(readers.map((one) => read(repository, digest, body, one)))
        expect(right.every(Boolean)).toBe(true)
        expect(house.registry.count('GET', blobs)).toBe(1)
        await expect.poll(() => isKept(house, 'app', digest)).toBe(true)
        await expect.poll(() => filesIn(house, 'spool')).toEqual([])
        expect(house.room.used()).toBe(body.length)
      }),
      { numRuns: 4 },
    )
  })
})

async function turns(count: number) {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

interface ReaderPlan {
  late: number
  step: number
  pause: number
  leavesAt: number | null
  range: { from: number; to: number } | null
}

/** Whether all that it read was right, and complete where it did not leave. */
async function read(repository: Repository, digest: Digest, body: Buffer, plan: ReaderPlan): Promise<boolean> {
  await turns(plan.late)
  const blob = await repository.blob(digest, plan.range ?? undefined)
  if (!blob) return false
  const { start, end } = blob.span ?? { start: 0, end: body.length }
  const leavesAt = Math.min(end, plan.leavesAt ?? end)
  let position = start
  try {
    while (position < leavesAt) {
      const buffer = Buffer.alloc(Math.min(plan.step, end - position))
      const count = await blob.bytes.read(position, buffer)
      if (count === 0 || !buffer.subarray(0, count).equals(body.subarray(position, position + count))) return false
      position += count
      await turns(plan.pause)
    }
  } finally {
    await blob.bytes.close()
  }
  return true
}

describe('a download whose transfer broke for good', () => {
  it('leaves its bytes to the next client, counted', async () => {
    const { house, body, digest, partial } = await withPartial()
    expect(house.room.used()).toBe(partial)
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    expect(house.registry.calls.at(-1)?.headers.range).toBe(`bytes=${partial}-`)
    await expect.poll(() => isKept(house, 'app', digest)).toBe(true)
    expect(house.room.used()).toBe(body.length)
  })

  it('goes on where there is room for the blob, though not for the blob and its partial', async () => {
    const { house, body, digest } = await withPartial({ maxSize: 1.2 * MiB })
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    await expect.poll(() => isKept(house, 'app', digest)).toBe(true)
    expect(house.room.used()).toBe(body.length)
  })

  it('starts again where the upstream has another blob of that digest, or none', async () => {
    const { house, digest } = await withPartial()
    house.registry.deleteBlob('app', digest)
    expect(await house.repository('app').blob(digest)).toBeUndefined()
    expect(await filesIn(house, 'spool')).toEqual([])
    expect(house.room.used()).toBe(0)
  })

  it('whose partial was not right is found out, and starts from nothing the next time', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    const wrong = Buffer.from(body)
    wrong[0] = (wrong[0] ?? 0) ^ 1
    const stop = house.registry.misbehave({ method: 'GET', path: blobs }, resets)
    house.registry.misbehave({ method: 'GET', path: blobs, times: 1 }, breaksAfter(wrong, 700_000))
    await expect(drainBlob(await house.repository('app').blob(digest))).rejects.toThrow()
    stop()
    await expect.poll(async () => (await house.spools.sweep(60_000)).kept).toBeGreaterThan(0)
    await expect(drainBlob(await house.repository('app').blob(digest))).rejects.toMatchObject({ trouble: 'wrong' })
    await expect.poll(() => filesIn(house, 'spool')).toEqual([])
    expect(house.room.used()).toBe(0)
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
  })
})

describe('a commit', () => {
  it('that takes its time is waited for by nobody, and joined by another repository after its own HEAD', async () => {
    const { filesFrom, begun, go } = slowCommit()
    const house = await openHouse({ filesFrom })
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    house.registry.putBlob('two', body)
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    await begun
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    expect((await drainBlob(await house.repository('two').blob(digest))).equals(body)).toBe(true)
    go()
    await expect.poll(() => isKept(house, 'two', digest)).toBe(true)
    expect(await isKept(house, 'app', digest)).toBe(true)
    expect(house.registry.count('GET', blobs)).toBe(1)
    expect(house.registry.count('HEAD', blobs)).toBe(1)
    expect(house.room.used()).toBe(body.length)
  })

  it('that fails costs the cache, never the client, and leaves nothing', async () => {
    const house = await openHouse({
      filesFrom: (files) => ({
        ...files,
        adopt: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })),
      }),
    })
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    await expect.poll(() => house.warnings.join()).toContain('could not be kept')
    await expect.poll(() => house.room.used()).toBe(0)
    expect(await filesIn(house, 'spool')).toEqual([])
    expect(await isKept(house, 'app', digest)).toBe(false)
  })
})

describe('room that cannot be made', () => {
  it('because eviction fails is no room: the client gets its bytes', async () => {
    const house = await openHouse({ maxSize: 2 * MiB, evict: () => Promise.reject(new Error('the catalog is closed')) })
    house.room.count(1.5 * MiB)
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    expect(house.room.used()).toBe(1.5 * MiB)
    expect(house.warnings.join()).toContain('no room can be made')
  })

  it('in the middle of a body of unknown size: it goes on to the client from there', async () => {
    const house = await openHouse({ maxSize: 9 * MiB })
    const body = randomBytes(12 * MiB)
    const digest = house.registry.putBlob('app', body)
    house.registry.misbehave({ method: 'GET', path: blobs }, (_request, response) => {
      response.writeHead(200).end(body)
    })
    const opened = [await house.repository('app').blob(digest), await house.repository('app').blob(digest)]
    for (const blob of opened) expect((await drainBlob(blob)).equals(body)).toBe(true)
    await expect.poll(() => filesIn(house, 'spool')).toEqual([])
    expect(house.room.used()).toBe(0)
  })

  it('for a range outside the blob leaves no transfer open', async () => {
    const house = await openHouse({ maxSize: 100_000 })
    const digest = house.registry.putBlob('app', randomBytes(8 * MiB))
    const closed = Promise.withResolvers<void>()
    house.registry.misbehave({ method: 'GET', path: blobs }, (request, response) => {
      request.socket.once('close', () => closed.resolve())
      response.writeHead(200, { 'content-length': 8 * MiB })
      response.write(randomBytes(MiB))
    })
    await expect(house.repository('app').blob(digest, { from: 9 * MiB })).rejects.toMatchObject({
      code: 'RANGE_INVALID',
    })
    await closed.promise
  })

  it('does not keep a manifest, which is served all the same', async () => {
    const house = await openHouse({ maxSize: 100 })
    const bytes = JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { note: 'x'.repeat(200) } })
    const digest = house.registry.putManifest('app', '1', bytes, 'application/vnd.oci.image.index.v1+json')
    expect(await house.repository('app').manifest({ digest })).toMatchObject({ cache: 'miss' })
    expect(house.room.used()).toBe(0)
    expect(await house.catalog.blob(digest)).toBeUndefined()
  })
})

describe('the end of the daemon', () => {
  it('ends a transfer in flight, whose bytes stay for the next start', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    house.registry.misbehave({ method: 'GET', path: blobs }, async (request, response) => {
      response.writeHead(200, { 'content-length': body.length })
      response.write(body.subarray(0, MiB / 2))
      await once(request.socket, 'close')
    })
    const proxied = house.open({})
    const blob = await proxied.repository(repositoryName('app')).blob(digest)
    await blob?.bytes.read(0, Buffer.alloc(10))
    const pending = blob?.bytes.read(MiB / 2, Buffer.alloc(10))
    await Promise.all([expect(pending).rejects.toThrow(), proxied.close()])
    const { kept } = await house.spools.sweep(60_000)
    expect(kept).toBeGreaterThan(0)
    expect(house.room.used()).toBe(kept)
  })

  it('does not wait for an upstream that is silent', async () => {
    const house = await openHouse()
    const asked = Promise.withResolvers<void>()
    house.registry.misbehave({ method: 'GET', path: blobs }, async (request) => {
      asked.resolve()
      await once(request.socket, 'close')
    })
    const proxied = house.open({})
    const opening = proxied.repository(repositoryName('app')).blob(digestOf(Buffer.from('x')))
    const closed = asked.promise.then(() => proxied.close())
    await Promise.all([expect(opening).rejects.toMatchObject({ code: 'UNAVAILABLE' }), closed])
  })
})

describe('reservations', () => {
  it('of downloads at the same time never pass maxSize, and end at what is kept', async () => {
    let most = 0
    const maxSize = 4 * MiB
    const house = await openHouse({
      maxSize,
      roomFrom: (options) => {
        const room = createRoom(options)
        return {
          ...room,
          async reserve(bytes, counted) {
            const reservation = await room.reserve(bytes, counted)
            most = Math.max(most, room.used())
            return reservation
          },
        }
      },
    })
    const bodies = Array.from({ length: 12 }, () => randomBytes(MiB))
    const digests = bodies.map((body) => house.registry.putBlob('app', body))
    const opened = await Promise.all(digests.map((digest) => house.repository('app').blob(digest)))
    const got = await Promise.all(opened.map(drainBlob))
    expect(got.every((body, index) => body.equals(bodies[index] ?? Buffer.alloc(0)))).toBe(true)
    expect(most).toBeLessThanOrEqual(maxSize)
    await expect
      .poll(async () => {
        const kept = await Promise.all(digests.map((digest) => isKept(house, 'app', digest)))
        return house.room.used() - kept.filter(Boolean).length * MiB
      })
      .toBe(0)
    expect(await filesIn(house, 'spool')).toEqual([])
  })
})
