import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { blobBytes, chunksOf, fileCount, openHouse, pushBlob, refusal, spoolNames } from './house.ts'

const by = 'anonymous'

describe('an upload', () => {
  test.each(['sha256', 'sha512'] as const)(
    'becomes a readable blob by %s, and leaves nothing else',
    async (algorithm) => {
      const house = await openHouse()
      const repository = house.repository('local/app')
      const bytes = randomBytes(300_000)
      const digest = await pushBlob(repository, bytes, algorithm)
      expect(await repository.stat(digest)).toMatchObject({ digest, size: bytes.length, cache: 'hit' })
      expect(await blobBytes(repository, digest)).toEqual(bytes)
      expect(await spoolNames(house)).toEqual([])
      expect(house.room.used()).toBe(bytes.length)
    },
  )

  test('of no bytes is a blob too, and a file', async () => {
    const house = await openHouse()
    const digest = await pushBlob(house.repository('local/app'), Buffer.alloc(0))
    expect(await house.repository('local/app').stat(digest)).toMatchObject({ size: 0 })
    expect(await blobBytes(house.repository('local/app'), digest)).toEqual(Buffer.alloc(0))
    expect(await fileCount(house)).toBe(1)
  })

  test('of a few bytes is a file, never inline', async () => {
    const house = await openHouse()
    const digest = await pushBlob(house.repository('local/app'), Buffer.from('{}'))
    expect(await house.catalog.blob(digest)).toMatchObject({ place: 'file' })
  })

  test('is readable through its own repository alone', async () => {
    const house = await openHouse()
    const digest = await pushBlob(house.repository('local/app'), randomBytes(100))
    expect(await house.repository('local/other').stat(digest)).toBeUndefined()
    expect(await house.repository('local/other').blob(digest)).toBeUndefined()
    expect(await house.repository('local/app').manifest({ digest })).toBeUndefined()
  })

  test('that started with one algorithm ends with another', async () => {
    const repository = (await openHouse()).repository('local/app')
    const bytes = randomBytes(3_000_000)
    const upload = await repository.startUpload({ by })
    await upload.append(chunksOf(bytes))
    await upload.commit(digestOf(bytes, 'sha512'))
    expect(await repository.stat(digestOf(bytes, 'sha512'))).toMatchObject({ size: bytes.length })
    expect(await repository.stat(digestOf(bytes))).toBeUndefined()
  })

  test('comes in parts, each where the last one ended', async () => {
    const repository = (await openHouse()).repository('local/app')
    const bytes = randomBytes(250_000)
    const { id } = await repository.startUpload({ by })
    for (let at = 0; at < bytes.length; at += 100_000) {
      const upload = await repository.upload(id, by)
      expect(upload?.offset).toBe(at)
      const part = bytes.subarray(at, at + 100_000)
      await upload?.append(chunksOf(part), at, part.length)
    }
    await (await repository.upload(id, by))?.commit(digestOf(bytes))
    expect(await blobBytes(repository, digestOf(bytes))).toEqual(bytes)
    expect(await repository.upload(id, by)).toBeUndefined()
  })

  test('whose part is out of order takes none of it, and says where to go on', async () => {
    const repository = (await openHouse()).repository('local/app')
    const upload = await repository.startUpload({ by })
    await upload.append(chunksOf(randomBytes(100)))
    const error = await refusal(upload.append(chunksOf(randomBytes(10)), 50))
    expect(error).toMatchObject({ code: 'RANGE_INVALID', status: 416, facts: { offset: 100 } })
    expect(upload.offset).toBe(100)
  })

  test.each([
    ['longer', 11],
    ['shorter', 9],
  ])('whose part is %s than announced is refused', async (_, announced) => {
    const repository = (await openHouse()).repository('local/app')
    const upload = await repository.startUpload({ by })
    const error = await refusal(upload.append(chunksOf(randomBytes(10)), 0, announced === 11 ? 9 : 11))
    expect(error).toMatchObject({ code: 'SIZE_INVALID', status: 400 })
  })

  test('takes one part at a time', async () => {
    const repository = (await openHouse()).repository('local/app')
    const upload = await repository.startUpload({ by })
    const { promise, resolve } = Promise.withResolvers<void>()
    const first = upload.append(waiting(promise))
    expect(await refusal(upload.append(chunksOf(Buffer.from('b'))))).toMatchObject({
      code: 'RANGE_INVALID',
      status: 416,
    })
    expect(await refusal(upload.commit(digestOf(Buffer.from('a'))))).toMatchObject({ code: 'RANGE_INVALID' })
    resolve()
    await first
    await upload.commit(digestOf(Buffer.from('a')))
  })

  test('whose body breaks off keeps what had arrived', async () => {
    const repository = (await openHouse()).repository('local/app')
    const upload = await repository.startUpload({ by })
    const bytes = randomBytes(100_000)
    expect(await refusal(upload.append(breaking(bytes.subarray(0, 40_000))))).toMatchObject({
      code: 'BLOB_UPLOAD_INVALID',
    })
    expect(upload.offset).toBe(40_000)
    await upload.append(chunksOf(bytes.subarray(40_000)), 40_000)
    await upload.commit(digestOf(bytes))
    expect(await blobBytes(repository, digestOf(bytes))).toEqual(bytes)
  })

  test('of other bytes than it says is refused, and nothing of it is kept', async () => {
    const house = await openHouse()
    const repository = house.repository('local/app')
    const upload = await repository.startUpload({ by })
    await upload.append(chunksOf(randomBytes(100)))
    const digest = digestOf(Buffer.from('another'))
    expect(await refusal(upload.commit(digest))).toMatchObject({ code: 'DIGEST_INVALID', status: 400 })
    expect(await repository.upload(upload.id, by)).toBeUndefined()
    expect(await repository.stat(digest)).toBeUndefined()
    expect(await spoolNames(house)).toEqual([])
    expect(await fileCount(house)).toBe(0)
    expect(house.room.used()).toBe(0)
  })

  test('that is cancelled frees its bytes', async () => {
    const house = await openHouse()
    const upload = await house.repository('local/app').startUpload({ by })
    await upload.append(chunksOf(randomBytes(100_000)))
    expect(house.room.used()).toBe(100_000)
    await upload.cancel()
    expect(house.room.used()).toBe(0)
    expect(await spoolNames(house)).toEqual([])
    expect(await refusal(upload.cancel())).toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN', status: 404 })
  })

  test('64 times of one blob at once leaves one copy', async () => {
    const house = await openHouse()
    const bytes = randomBytes(200_000)
    const names = Array.from({ length: 64 }, (_, index) => `local/app${index % 4}`)
    await Promise.all(names.map((name) => pushBlob(house.repository(name), bytes)))
    expect(await fileCount(house)).toBe(1)
    expect(house.room.used()).toBe(bytes.length)
    expect(await spoolNames(house)).toEqual([])
    for (const name of names) expect(await house.repository(name).stat(digestOf(bytes))).toBeDefined()
  })
})

async function* waiting(until: Promise<void>): AsyncGenerator<Uint8Array> {
  await until
  yield Buffer.from('a')
}

async function* breaking(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
  throw new Error('aborted')
}
