import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { type Digest, digestOf, hexOf } from '../../src/oci/digest.ts'
import { createEviction } from '../../src/upkeep/eviction.ts'
import type { Handler } from '../support/scripted-registry.ts'
import { drain, drainBlob, filesIn, openHouse } from './house.ts'

const blobs = /\/blobs\//
const MiB = 1024 * 1024

/** Sends a body in parts, the next when the test says so. */
function partsOf(body: Buffer, cuts: number[]) {
  const gates = cuts.map(() => Promise.withResolvers<void>())
  const started = Promise.withResolvers<ServerResponse>()
  const handler: Handler = async (_request, response) => {
    response.writeHead(200, { 'content-length': body.length })
    response.flushHeaders()
    started.resolve(response)
    let from = 0
    for (const [index, cut] of cuts.entries()) {
      await gates[index]?.promise
      response.write(body.subarray(from, cut))
      from = cut
    }
    response.end(body.subarray(from))
  }
  return { handler, started: started.promise, go: (index: number) => gates[index]?.resolve() }
}

async function kept(house: Awaited<ReturnType<typeof openHouse>>, name: string, digest: Digest) {
  const link = await house.catalog.link({ origin: 'upstream.test', name: name as never }, 'blob', digest)
  return link !== undefined && (await house.catalog.blob(digest)) !== undefined
}

/** Resolves when nothing is spooled any more. */
async function committed(house: Awaited<ReturnType<typeof openHouse>>, name: string, digest: Digest) {
  await expect.poll(() => kept(house, name, digest)).toBe(true)
  await expect.poll(() => filesIn(house, 'spool')).toEqual([])
}

describe('a blob', () => {
  it('is fetched once for any number of clients, and then comes from here', async () => {
    const house = await openHouse()
    const body = randomBytes(3 * MiB)
    const digest = house.registry.putBlob('app', body)
    const repository = house.repository('app')
    const opened = await Promise.all(Array.from({ length: 20 }, () => repository.blob(digest)))
    const bodies = await Promise.all(opened.map(drainBlob))
    expect(bodies.every((got) => got.equals(body))).toBe(true)
    expect(opened.map((blob) => blob?.cache).filter((cache) => cache === 'joined').length).toBe(19)
    await committed(house, 'app', digest)
    const again = await repository.blob(digest)
    expect(again?.cache).toBe('hit')
    expect((await drainBlob(again)).equals(body)).toBe(true)
    expect(house.registry.count('GET', blobs)).toBe(1)
    expect(house.registry.count('HEAD', blobs)).toBe(0)
  })

  it('of at most 16 KiB is kept inline, without a file', async () => {
    const house = await openHouse()
    const digest = house.registry.putBlob('app', randomBytes(16 * 1024))
    await drainBlob(await house.repository('app').blob(digest))
    await committed(house, 'app', digest)
    expect(await house.catalog.blob(digest)).toMatchObject({ place: 'inline' })
    expect(await filesIn(house, 'blobs')).toEqual([])
  })

  it('of no bytes at all is a blob', async () => {
    const house = await openHouse()
    const digest = house.registry.putBlob('app', '')
    expect((await drainBlob(await house.repository('app').blob(digest))).length).toBe(0)
    await committed(house, 'app', digest)
    expect((await drainBlob(await house.repository('app').blob(digest))).length).toBe(0)
  })

  it('streams while it arrives, except its newest 64 KiB, and a late client starts at byte 0', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    const parts = partsOf(body, [MiB / 2, MiB])
    house.registry.misbehave({ method: 'GET', path: blobs }, parts.handler)
    const early = await house.repository('app').blob(digest)
    expect(early?.bytes.size).toBe(MiB)
    parts.go(0)
    const first = Buffer.alloc(MiB)
    let got = 0
    const shown = MiB / 2 - 64 * 1024
    while (got < shown) got += (await early?.bytes.read(got, first.subarray(got))) ?? 0
    expect(got).toBe(shown)
    expect(first.subarray(0, shown).equals(body.subarray(0, shown))).toBe(true)
    const late = await house.repository('app').blob(digest)
    expect(late?.cache).toBe('joined')
    await early?.bytes.close()
    parts.go(1)
    expect((await drainBlob(late)).equals(body)).toBe(true)
    expect(house.registry.count('GET', blobs)).toBe(1)
  })

  it('that does not match its digest breaks every reader and is not kept', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    const wrong = Buffer.from(body)
    wrong[10] = (wrong[10] ?? 0) ^ 1
    const stop = house.registry.misbehave({ method: 'GET', path: blobs }, (_request, response) => {
      response.writeHead(200, { 'content-length': wrong.length }).end(wrong)
    })
    const opened = await Promise.all(Array.from({ length: 3 }, () => house.repository('app').blob(digest)))
    for (const blob of opened) await expect(drainBlob(blob)).rejects.toMatchObject({ trouble: 'wrong' })
    expect(await kept(house, 'app', digest)).toBe(false)
    await expect.poll(() => filesIn(house, 'spool')).toEqual([])
    expect(house.room.used()).toBe(0)
    stop()
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
  })

  it('longer or shorter than announced is not kept', async () => {
    const house = await openHouse()
    const body = randomBytes(100_000)
    const digest = house.registry.putBlob('app', body)
    house.registry.misbehave({ method: 'GET', path: blobs }, (_request, response) => {
      response.writeHead(200, {}).end(Buffer.concat([body, Buffer.from('more')]))
    })
    await expect(drainBlob(await house.repository('app').blob(digest))).rejects.toMatchObject({ trouble: 'wrong' })
    expect(await kept(house, 'app', digest)).toBe(false)
  })

  it('of unknown length streams, and its length is learned', async () => {
    const house = await openHouse()
    const body = randomBytes(300_000)
    const digest = house.registry.putBlob('app', body)
    house.registry.misbehave({ method: 'GET', path: blobs }, (_request, response) => {
      response.writeHead(200, {})
      response.write(body.subarray(0, 100_000))
      response.end(body.subarray(100_000))
    })
    const blob = await house.repository('app').blob(digest)
    expect(blob?.bytes.size).toBeUndefined()
    expect((await drainBlob(blob)).equals(body)).toBe(true)
    await committed(house, 'app', digest)
    expect(await house.catalog.blob(digest)).toMatchObject({ size: 300_000 })
  })

  it('whose absence a GET has told is absent for 10 s', async () => {
    const house = await openHouse()
    const body = randomBytes(100)
    expect(await house.repository('app').blob(digestOf(body))).toBeUndefined()
    expect(await house.repository('app').blob(digestOf(body))).toBeUndefined()
    expect(house.registry.count('GET', blobs)).toBe(1)
    house.registry.putBlob('app', body)
    house.pass(10_001)
    expect((await drainBlob(await house.repository('app').blob(digestOf(body)))).equals(body)).toBe(true)
  })

  it('asked for by HEAD starts nothing, and a 404 to it is not remembered', async () => {
    const house = await openHouse()
    const body = randomBytes(1000)
    const digest = house.registry.putBlob('app', body)
    house.registry.misbehave({ method: 'HEAD', path: blobs, times: 1 }, (_request, response) => {
      response.writeHead(404).end()
    })
    expect(await house.repository('app').stat(digest)).toBeUndefined()
    expect(await house.repository('app').stat(digest)).toMatchObject({ size: 1000, cache: 'miss' })
    expect(house.registry.count('GET', blobs)).toBe(0)
    await drainBlob(await house.repository('app').blob(digest))
    await committed(house, 'app', digest)
    expect(await house.repository('app').stat(digest)).toMatchObject({ size: 1000, cache: 'hit' })
  })
})

describe('a range', () => {
  it('of what is kept, of a download in flight and of a miss is the right bytes', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    const repository = house.repository('app')
    const miss = await repository.blob(digest, { from: 1000, to: 1999 })
    expect(miss?.span).toEqual({ start: 1000, end: 2000 })
    const joined = await repository.blob(digest, { last: 5000 })
    expect((await drainBlob(miss)).equals(body.subarray(1000, 2000))).toBe(true)
    expect((await drainBlob(joined)).equals(body.subarray(MiB - 5000))).toBe(true)
    await committed(house, 'app', digest)
    const hit = await repository.blob(digest, { from: MiB - 10 })
    expect((await drainBlob(hit)).equals(body.subarray(MiB - 10))).toBe(true)
    expect(house.registry.count('GET', blobs)).toBe(1)
  })

  it('ahead of the spool gets its headers at once', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    const parts = partsOf(body, [1000])
    house.registry.misbehave({ method: 'GET', path: blobs }, parts.handler)
    const ahead = await house.repository('app').blob(digest, { from: 900_000 })
    expect(ahead?.span).toEqual({ start: 900_000, end: MiB })
    parts.go(0)
    expect((await drainBlob(ahead)).equals(body.subarray(900_000))).toBe(true)
  })

  it('that is closed keeps back its last byte until the digest is verified', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    const parts = partsOf(body, [MiB / 2, MiB])
    house.registry.misbehave({ method: 'GET', path: blobs }, parts.handler)
    const range = await house.repository('app').blob(digest, { from: 0, to: 99 })
    parts.go(0)
    const buffer = Buffer.alloc(100)
    let got = 0
    while (got < 99) got += (await range?.bytes.read(got, buffer.subarray(got))) ?? 0
    expect(got).toBe(99)
    const last = range?.bytes.read(99, buffer.subarray(99))
    const early = await Promise.race([last, new Promise((resolve) => setImmediate(resolve, 'still waiting'))])
    expect(early).toBe('still waiting')
    parts.go(1)
    expect(await last).toBe(1)
    expect(buffer.equals(body.subarray(0, 100))).toBe(true)
    await range?.bytes.close()
  })

  it('outside the blob is refused with its size', async () => {
    const house = await openHouse()
    const digest = house.registry.putBlob('app', randomBytes(1000))
    await expect(house.repository('app').blob(digest, { from: 1000 })).rejects.toMatchObject({ code: 'RANGE_INVALID' })
    await committed(house, 'app', digest)
    await expect(house.repository('app').blob(digest, { from: 2000 })).rejects.toMatchObject({ code: 'RANGE_INVALID' })
  })
})

describe('a broken transfer', () => {
  it('goes on by Range from the bytes that were spooled', async () => {
    const house = await openHouse()
    const body = randomBytes(2 * MiB)
    const digest = house.registry.putBlob('app', body)
    house.registry.misbehave({ method: 'GET', path: blobs, times: 1 }, (request, response) => {
      response.writeHead(200, { 'content-length': body.length })
      response.write(body.subarray(0, MiB), () => request.socket.destroy())
    })
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    const [, second] = house.registry.calls
    expect(second?.headers.range).toMatch(/^bytes=[1-9]\d*-$/)
    await committed(house, 'app', digest)
  })

  it('goes on where the server ignores Range', async () => {
    const house = await openHouse()
    const body = randomBytes(2 * MiB)
    const digest = house.registry.putBlob('app', body)
    let calls = 0
    house.registry.misbehave({ method: 'GET', path: blobs }, (request, response) => {
      response.writeHead(200, { 'content-length': body.length, etag: `"changes-${calls}"` })
      if (calls++ > 0) response.end(body)
      else response.write(body.subarray(0, MiB), () => request.socket.destroy())
    })
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    expect(calls).toBe(2)
  })

  it('is asked for at the registry again when its signed URL has expired', async () => {
    const house = await openHouse()
    const body = randomBytes(2 * MiB)
    const digest = house.registry.putBlob('app', body)
    let signed = 0
    house.registry.misbehave({ method: 'GET', path: blobs }, (_request, response) => {
      signed += 1
      response.writeHead(307, { location: `/storage/${digest}?signature=${signed}` }).end()
    })
    house.registry.misbehave({ path: /^\/storage\// }, (request, response) => {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
      if (request.url?.endsWith('signature=1')) {
        if (from > 0) {
          response.writeHead(403).end()
          return
        }
        response.writeHead(200, { 'content-length': body.length })
        response.write(body.subarray(0, MiB), () => request.socket.destroy())
        return
      }
      response.writeHead(206, {
        'content-length': body.length - from,
        'content-range': `bytes ${from}-${body.length - 1}/${body.length}`,
      })
      response.end(body.subarray(from))
    })
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    expect(signed).toBe(2)
  })

  it('that brings nothing again and again breaks the readers', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    house.registry.misbehave({ method: 'GET', path: blobs }, (request, response) => {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
      if (from > 0) {
        request.socket.destroy()
        return
      }
      response.writeHead(200, { 'content-length': body.length })
      response.write(body.subarray(0, 200_000), () => request.socket.destroy())
    })
    await expect(drainBlob(await house.repository('app').blob(digest))).rejects.toMatchObject({
      trouble: 'unreachable',
    })
    expect(await kept(house, 'app', digest)).toBe(false)
  })
})

describe('clients that leave', () => {
  it('hurt nobody else', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    const parts = partsOf(body, [MiB / 4])
    house.registry.misbehave({ method: 'GET', path: blobs }, parts.handler)
    const leader = await house.repository('app').blob(digest)
    const follower = await house.repository('app').blob(digest)
    await leader?.bytes.close()
    parts.go(0)
    expect((await drainBlob(follower)).equals(body)).toBe(true)
  })

  it('all of them, leave the download to finish when little remains', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    const parts = partsOf(body, [MiB / 4])
    house.registry.misbehave({ method: 'GET', path: blobs }, parts.handler)
    const blob = await house.repository('app').blob(digest)
    await blob?.bytes.close()
    parts.go(0)
    await committed(house, 'app', digest)
  })

  it('all of them, early in a large blob, stop it; the next client resumes the partial', async () => {
    const house = await openHouse()
    const body = randomBytes(80 * MiB)
    const digest = house.registry.putBlob('app', body)
    const parts = partsOf(body, [8 * MiB, 80 * MiB])
    const stop = house.registry.misbehave({ method: 'GET', path: blobs }, parts.handler)
    const blob = await house.repository('app').blob(digest)
    parts.go(0)
    const response = await parts.started
    const buffer = Buffer.alloc(MiB)
    for (let got = 0; got < 4 * MiB;) got += (await blob?.bytes.read(got, buffer)) ?? 0
    const closed = once(response, 'close')
    await blob?.bytes.close()
    await closed
    stop()
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    const resumed = house.registry.calls.at(-1)
    expect(Number(/bytes=(\d+)-/.exec(resumed?.headers.range ?? '')?.[1])).toBeGreaterThanOrEqual(4 * MiB)
    await committed(house, 'app', digest)
    expect(house.room.used()).toBe(body.length)
  })
})

describe('two repositories', () => {
  it('of one upstream share one copy, each with its own proof: a HEAD, no second transfer', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('one', body)
    await drainBlob(await house.repository('one').blob(digest))
    await committed(house, 'one', digest)
    expect(await house.repository('two').blob(digest)).toBeUndefined()
    house.registry.putBlob('two', body)
    house.pass(10_001)
    const before = house.registry.calls.length
    expect((await drainBlob(await house.repository('two').blob(digest))).equals(body)).toBe(true)
    expect(house.registry.calls.slice(before).map((call) => call.method)).toEqual(['HEAD'])
    expect(await filesIn(house, 'blobs')).toEqual([hexOf(digest)])
    expect(await kept(house, 'two', digest)).toBe(true)
  })

  it('of one upstream join one download in flight', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('one', body)
    house.registry.putBlob('two', body)
    const parts = partsOf(body, [MiB / 2])
    house.registry.misbehave({ method: 'GET', path: blobs }, parts.handler)
    const first = await house.repository('one').blob(digest)
    const second = await house.repository('two').blob(digest)
    parts.go(0)
    expect((await drainBlob(first)).equals(body)).toBe(true)
    expect((await drainBlob(second)).equals(body)).toBe(true)
    expect(house.registry.count('GET', blobs)).toBe(1)
    expect(house.registry.count('HEAD', /\/v2\/two\/blobs\//)).toBe(1)
    await committed(house, 'two', digest)
    expect(await kept(house, 'one', digest)).toBe(true)
  })

  it('of two upstreams share the copy on disk, but the second must deliver the bytes itself', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    await drainBlob(await house.repository('app').blob(digest))
    await committed(house, 'app', digest)
    const other = house.proxied({}, house.connect('other.test', house.registry))
    expect((await drainBlob(await other('app').blob(digest))).equals(body)).toBe(true)
    expect(house.registry.count('GET', blobs)).toBe(2)
    await expect
      .poll(() => house.catalog.link({ origin: 'other.test', name: 'app' as never }, 'blob', digest))
      .toBeDefined()
    expect(await filesIn(house, 'blobs')).toEqual([hexOf(digest)])
    expect(house.room.used()).toBe(body.length)
  })
})

describe('room', () => {
  it('that is not there: clients get their bytes, nothing is kept, nothing leaks', async () => {
    const house = await openHouse({ maxSize: 100_000 })
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    const whole = await house.repository('app').blob(digest)
    expect((await drainBlob(whole)).equals(body)).toBe(true)
    const range = await house.repository('app').blob(digest, { from: 500_000, to: 500_999 })
    expect((await drainBlob(range)).equals(body.subarray(500_000, 501_000))).toBe(true)
    expect(await filesIn(house, 'blobs')).toEqual([])
    expect(await filesIn(house, 'spool')).toEqual([])
    expect(house.room.used()).toBe(0)
  })

  it('that is not there does not let a wrong byte pass', async () => {
    const house = await openHouse({ maxSize: 100_000 })
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    house.registry.misbehave({ method: 'GET', path: blobs }, (_request, response) => {
      const wrong = Buffer.from(body)
      wrong[MiB - 1] = (wrong[MiB - 1] ?? 0) ^ 1
      response.writeHead(200, { 'content-length': wrong.length }).end(wrong)
    })
    await expect(drainBlob(await house.repository('app').blob(digest))).rejects.toMatchObject({ trouble: 'wrong' })
  })

  it('lost midway: every client goes on by itself from the bytes it has', async () => {
    const full = Promise.withResolvers<void>()
    const house = await openHouse({
      spoolsFrom: (spools) => ({
        ...spools,
        create: async (key, algorithm) => {
          const spool = await spools.create(key, algorithm)
          let taken = 0
          const append = async (chunk: Uint8Array) => {
            taken += chunk.length
            if (taken > MiB) throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
            await spool.append(chunk)
          }
          full.resolve()
          return Object.create(spool, { append: { value: append } })
        },
      }),
    })
    const body = randomBytes(3 * MiB)
    const digest = house.registry.putBlob('app', body)
    const opened = [await house.repository('app').blob(digest), await house.repository('app').blob(digest)]
    await full.promise
    const bodies = await Promise.all(opened.map(drainBlob))
    expect(bodies.every((got) => got.equals(body))).toBe(true)
    expect(await filesIn(house, 'blobs')).toEqual([])
    await expect.poll(() => filesIn(house, 'spool')).toEqual([])
    expect(house.room.used()).toBe(0)
    expect(house.warnings.join()).toContain('no room')
  })

  it('is made by evicting what was used least recently', async () => {
    const evictions: string[] = []
    const house = await openHouse({
      maxSize: 5 * MiB,
      evict: (catalog, bytes) =>
        createEviction({ catalog, allowed: true, log: (message) => void evictions.push(message) })(bytes),
    })
    const bodies = Array.from({ length: 6 }, () => randomBytes(MiB))
    for (const body of bodies) {
      const digest = house.registry.putBlob('app', body)
      await drainBlob(await house.repository('app').blob(digest))
      await committed(house, 'app', digest)
      house.pass(1000)
    }
    expect(house.room.used()).toBeLessThanOrEqual(5 * MiB)
    expect(await house.catalog.blob(digestOf(bodies[0] ?? Buffer.alloc(0)))).toBeUndefined()
    expect(await house.catalog.blob(digestOf(bodies[5] ?? Buffer.alloc(0)))).toBeDefined()
    expect(evictions.length).toBeGreaterThan(0)
  })
})

describe('kept bytes', () => {
  it('that have changed on disk are found when they are served after a day, and the next client gets good ones', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    await drainBlob(await house.repository('app').blob(digest))
    await committed(house, 'app', digest)
    const path = join(house.directory, 'blobs', 'sha256', hexOf(digest).slice(0, 2), hexOf(digest))
    const { chmod, writeFile } = await import('node:fs/promises')
    await chmod(path, 0o600)
    await writeFile(path, Buffer.concat([body.subarray(0, MiB - 1), Buffer.from([(body[MiB - 1] ?? 0) ^ 1])]))
    house.pass(25 * 3_600_000)
    const rotten = await house.repository('app').blob(digest)
    await expect(drainBlob(rotten)).rejects.toThrow('do not match')
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
  })

  it('that were deleted behind our back heal by a refetch', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    await drainBlob(await house.repository('app').blob(digest))
    await committed(house, 'app', digest)
    await rm(join(house.directory, 'blobs'), { recursive: true })
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    await committed(house, 'app', digest)
    expect(house.room.used()).toBe(body.length)
  })

  it('are served offline without a call; what is not kept is refused with a sentence', async () => {
    const house = await openHouse()
    const body = randomBytes(MiB)
    const digest = house.registry.putBlob('app', body)
    await drainBlob(await house.repository('app').blob(digest))
    await committed(house, 'app', digest)
    const offline = house.proxied({ offline: true })('app')
    const before = house.registry.calls.length
    expect((await drainBlob(await offline.blob(digest))).equals(body)).toBe(true)
    await expect(offline.blob(digestOf(Buffer.from('x')))).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    await expect(offline.stat(digestOf(Buffer.from('x')))).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    expect(house.registry.calls.length).toBe(before)
  })
})

describe('a private credential', () => {
  it('opens nothing for the LAN unless the upstream is shared', async () => {
    const house = await openHouse({
      credentials: async () => ({
        identity: 'config:me',
        username: 'me',
        password: { reveal: () => 'secret' } as never,
      }),
    })
    const body = randomBytes(1000)
    const digest = house.registry.putBlob('app', body)
    await drainBlob(await house.repository('app').blob(digest))
    await committed(house, 'app', digest)
    const anonymous = house.connect('upstream.test', house.registry)
    const lan = house.proxied({ allowAnonymousLan: true, offline: true }, anonymous)('app')
    await expect(lan.blob(digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    const shared = house.proxied({ allowAnonymousLan: true, shared: true, offline: true }, anonymous)('app')
    expect((await drain((await shared.blob(digest))?.bytes as never)).equals(body)).toBe(true)
  })
})
