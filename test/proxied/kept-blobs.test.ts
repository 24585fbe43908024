import { randomBytes } from 'node:crypto'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Digest, hexOf } from '../../src/oci/digest.ts'
import type { BlobStore } from '../../src/store/blob-store.ts'
import { drain, drainBlob, type House, type HouseOptions, openHouse } from './house.ts'

const blobs = /\/blobs\//
const KiB = 1024
const day = 24 * 60 * 60_000

async function keptBlob(size: number, options?: HouseOptions) {
  const house = await openHouse(options)
  const body = randomBytes(size)
  const digest = house.registry.putBlob('app', body)
  await drainBlob(await house.repository('app').blob(digest))
  await expect.poll(() => house.repository('app').stat(digest)).toMatchObject({ cache: 'hit' })
  return { house, body, digest, gets: () => house.registry.count('GET', blobs) }
}

async function rot(house: House, digest: Digest, body: Buffer) {
  const path = join(house.directory, 'blobs', 'sha256', hexOf(digest).slice(0, 2), hexOf(digest))
  const rotten = Buffer.from(body)
  rotten[rotten.length - 1] = (rotten.at(-1) ?? 0) ^ 1
  await chmod(path, 0o600)
  await writeFile(path, rotten)
}

/** A disk that fails to read from a position on. */
function failingDisk() {
  const disk = { from: Number.POSITIVE_INFINITY }
  const filesFrom = (files: BlobStore): BlobStore => ({
    ...files,
    async open(digest) {
      const source = await files.open(digest)
      return (
        source && {
          size: source.size,
          close: () => source.close(),
          async read(position, buffer) {
            if (position >= disk.from) throw Object.assign(new Error('EIO'), { code: 'EIO' })
            return source.read(position, buffer.subarray(0, disk.from - position))
          },
        }
      )
    },
  })
  return { disk, filesFrom }
}

describe('kept bytes on a failing disk', () => {
  it('are fetched again before the first byte: the client gets good ones, and so does the next', async () => {
    const { disk, filesFrom } = failingDisk()
    const { house, body, digest, gets } = await keptBlob(100 * KiB, { filesFrom })
    disk.from = 0
    const opened = await house.repository('app').blob(digest)
    expect(opened?.cache).toBe('hit')
    expect((await drainBlob(opened)).equals(body)).toBe(true)
    expect(gets()).toBe(2)
    disk.from = Number.POSITIVE_INFINITY
    await expect.poll(() => house.repository('app').stat(digest)).toMatchObject({ cache: 'hit' })
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    expect(gets()).toBe(2)
    await expect.poll(() => house.room.used()).toBe(body.length)
  })

  it('are fetched again for a range too', async () => {
    const { disk, filesFrom } = failingDisk()
    const { house, body, digest } = await keptBlob(100 * KiB, { filesFrom })
    disk.from = 10
    const range = await house.repository('app').blob(digest, { from: 500, to: 999 })
    expect((await drainBlob(range)).equals(body.subarray(500, 1000))).toBe(true)
  })

  it('break off a client that has some of them, and are fetched again for the next', async () => {
    const { disk, filesFrom } = failingDisk()
    const { house, body, digest } = await keptBlob(100 * KiB, { filesFrom })
    disk.from = 50 * KiB
    await expect(drainBlob(await house.repository('app').blob(digest))).rejects.toThrow('EIO')
    disk.from = Number.POSITIVE_INFINITY
    const next = await house.repository('app').blob(digest)
    expect(next?.cache).toBe('miss')
    expect((await drainBlob(next)).equals(body)).toBe(true)
  })

  it('stay where they are in offline mode, since nothing can take their place', async () => {
    const { disk, filesFrom } = failingDisk()
    const { house, body, digest } = await keptBlob(100 * KiB, { filesFrom })
    const offline = house.proxied({ offline: true })('app')
    disk.from = 0
    await expect(drainBlob(await offline.blob(digest))).rejects.toThrow('EIO')
    disk.from = Number.POSITIVE_INFINITY
    expect((await drainBlob(await offline.blob(digest))).equals(body)).toBe(true)
  })
})

describe('kept bytes after a day', () => {
  it('of at most 64 KiB that have rotted cost the client nothing: it gets good ones', async () => {
    const { house, body, digest } = await keptBlob(50 * KiB)
    await rot(house, digest, body)
    house.pass(day + 1)
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
  })

  it('are verified again for a day, by readers at the same time', async () => {
    const { house, body, digest } = await keptBlob(200 * KiB)
    house.pass(day + 1)
    const opened = await Promise.all(Array.from({ length: 8 }, () => house.repository('app').blob(digest)))
    const bodies = await Promise.all(opened.map(drainBlob))
    expect(bodies.every((got) => got.equals(body))).toBe(true)
    const record = await house.catalog.blob(digest)
    expect(record?.verifiedAt).toBeGreaterThan(Date.now() + day - 60_000)
  })

  it('that have rotted are dropped once, whoever finds out late: what was fetched since stays', async () => {
    const { house, body, digest, gets } = await keptBlob(200 * KiB)
    await rot(house, digest, body)
    house.pass(day + 1)
    const slow = await house.repository('app').blob(digest)
    const quick = await house.repository('app').blob(digest)
    await expect(drainBlob(quick)).rejects.toThrow('do not match')
    house.pass(1)
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    await expect.poll(() => house.repository('app').stat(digest)).toMatchObject({ cache: 'hit' })
    await expect(drainBlob(slow)).rejects.toThrow('do not match')
    expect((await drainBlob(await house.repository('app').blob(digest))).equals(body)).toBe(true)
    expect(gets()).toBe(2)
  })

  it('are verified where the clock was set back behind the day they were verified at', async () => {
    const { house, body, digest } = await keptBlob(200 * KiB)
    await rot(house, digest, body)
    house.pass(-1000)
    await expect(drainBlob(await house.repository('app').blob(digest))).rejects.toThrow('do not match')
  })

  it('are served although it cannot be noted that they were verified', async () => {
    const { house, body, digest } = await keptBlob(200 * KiB)
    const broken = house.proxied({
      catalog: { ...house.catalog, setVerified: () => Promise.reject(new Error('disk full')) },
    })('app')
    house.pass(day + 1)
    expect((await drainBlob(await broken.blob(digest))).equals(body)).toBe(true)
    expect(house.warnings.join()).toContain('verified')
  })
})

describe('a second repository', () => {
  it('that many clients ask at once proves kept bytes by one HEAD', async () => {
    const { house, body, digest } = await keptBlob(100 * KiB)
    house.registry.putBlob('two', body)
    const opened = await Promise.all(Array.from({ length: 20 }, () => house.repository('two').blob(digest)))
    for (const blob of opened) expect((await drainBlob(blob)).equals(body)).toBe(true)
    expect(house.registry.count('HEAD', blobs)).toBe(1)
    expect(house.registry.count('GET', blobs)).toBe(1)
  })

  it('whose upstream fails the HEAD gets the bytes by its own transfer, and the failure is not hidden', async () => {
    const { house, body, digest } = await keptBlob(100 * KiB)
    house.registry.putBlob('two', body)
    house.registry.misbehave(
      { method: 'HEAD', path: blobs },
      (_request, response) => void response.writeHead(500).end(),
    )
    expect((await drainBlob(await house.repository('two').blob(digest))).equals(body)).toBe(true)
    expect(house.registry.count('GET', blobs)).toBe(2)
    expect(house.warnings.join()).toContain('did not say whether two has')
  })

  it('whose upstream says another size is not believed', async () => {
    const { house, body, digest } = await keptBlob(100 * KiB)
    house.registry.putBlob('two', body)
    house.registry.misbehave({ method: 'HEAD', path: blobs }, (_request, response) => {
      response.writeHead(200, { 'content-length': 5 }).end()
    })
    expect((await drainBlob(await house.repository('two').blob(digest))).equals(body)).toBe(true)
    expect(house.registry.count('GET', blobs)).toBe(2)
  })

  it('asked with another credential fetches the bytes itself', async () => {
    const { house, body, digest } = await keptBlob(100 * KiB)
    house.registry.putBlob('two', body)
    const other = house.connect('upstream.test', house.registry, async () => ({
      identity: 'config:me',
      username: 'me',
    }))
    expect((await drainBlob(await house.proxied({}, other)('two').blob(digest))).equals(body)).toBe(true)
    expect(house.registry.count('GET', blobs)).toBe(2)
    await expect
      .poll(async () => (await house.catalog.blob(digest))?.sources.map(({ credential }) => credential))
      .toEqual(['anonymous', 'config:me'])
  })
})

describe('a range of kept bytes that lies outside', () => {
  it('is refused and holds nothing', async () => {
    const { house, digest } = await keptBlob(100 * KiB)
    await expect(house.repository('app').blob(digest, { from: 200 * KiB })).rejects.toMatchObject({
      code: 'RANGE_INVALID',
    })
    expect(house.catalog.isHeld(digest)).toBe(false)
    const whole = await house.repository('app').blob(digest)
    expect(house.catalog.isHeld(digest)).toBe(true)
    if (whole) await drain(whole.bytes)
    expect(house.catalog.isHeld(digest)).toBe(false)
  })
})
