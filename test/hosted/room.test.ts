import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { chunksOf, fileCount, imageOf, nameOf, openHouse, pushBlob, refusal, spoolNames, tagged } from './house.ts'

const by = 'anonymous'
const MiB = 1024 ** 2

afterEach(() => {
  delete process.env['ENTREPOT_TEST_FAILPOINT']
})

describe('a push that would pass maxSize', () => {
  test('of known size is refused before its first byte, with the figures', async () => {
    const house = await openHouse({ maxSize: MiB })
    const repository = house.repository('local/app')
    await pushBlob(repository, randomBytes(600_000))
    const error = await refusal(repository.startUpload({ by, size: 600_000 }))
    expect(error).toMatchObject({ code: 'DENIED', status: 403 })
    expect(error.facts).toEqual({ bytes: 600_000, used: 600_000, maxSize: MiB })
    expect(await spoolNames(house)).toEqual([])
  })

  test('by a part of known size is refused before its first byte', async () => {
    const house = await openHouse({ maxSize: MiB })
    const upload = await house.repository('local/app').startUpload({ by })
    let asked = 0
    const body = (async function* () {
      asked += 1
      yield randomBytes(10)
    })()
    expect(await refusal(upload.append(body, 0, 2 * MiB))).toMatchObject({ code: 'DENIED' })
    expect(asked).toBe(0)
    expect(house.room.used()).toBe(0)
  })

  test('of unknown size is refused at the byte that crosses, and frees what had arrived', async () => {
    const house = await openHouse({ maxSize: MiB })
    const upload = await house.repository('local/app').startUpload({ by })
    let sent = 0
    const body = (async function* () {
      for (;;) {
        sent += 100_000
        yield randomBytes(100_000)
      }
    })()
    expect(await refusal(upload.append(body))).toMatchObject({ code: 'DENIED', status: 403 })
    expect(sent).toBe(1_100_000)
    expect(house.room.used()).toBe(0)
    expect(await spoolNames(house)).toEqual([])
  })

  test.each([
    ['of known size', 600_000, 600_000],
    ['whose size its only part says', undefined, 600_000],
    ['of unknown size', undefined, undefined],
  ])('%s takes the room of what no manifest names, once nobody can be about to name it', async (_, size, length) => {
    const clock = { now: 1_800_000_000_000 }
    const house = await openHouse({ maxSize: MiB, clock })
    const repository = house.repository('local/app')
    const digest = await pushBlob(repository, randomBytes(600_000))
    const push = async () => {
      const upload = await repository.startUpload({ by, ...(size !== undefined && { size }) })
      await upload.append(chunksOf(randomBytes(600_000)), 0, length)
      await upload.cancel()
    }
    clock.now += 10 * 60_000
    expect(await refusal(push())).toMatchObject({ code: 'DENIED' })
    clock.now += 11 * 60_000
    await push()
    expect(await house.catalog.link({ origin: 'hosted', name: nameOf('local/app') }, 'blob', digest)).toBeUndefined()
    expect(house.room.used()).toBe(0)
  })

  test('leaves what somebody may be about to name whose uploads began before', async () => {
    const clock = { now: 1_800_000_000_000 }
    const house = await openHouse({ maxSize: MiB, clock })
    const repository = house.repository('local/app')
    const digest = await pushBlob(repository, randomBytes(600_000))
    await repository.startUpload({ by })
    clock.now += 5 * 60 * 60_000
    expect(await refusal(repository.startUpload({ by, size: 600_000 }))).toMatchObject({ code: 'DENIED' })
    expect(await repository.stat(digest)).toBeDefined()
  })

  test('that only announces its size takes no room from others for more than a step', async () => {
    const house = await openHouse({ maxSize: 64 * MiB })
    const slow = await house.repository('local/slow').startUpload({ by, size: 60 * MiB })
    const { promise: hanging, resolve: letGo } = Promise.withResolvers<void>()
    const arriving = slow.append(
      (async function* () {
        yield randomBytes(10)
        await hanging
      })(),
      0,
      60 * MiB,
    )
    await expect.poll(() => house.room.used()).toBe(8 * MiB)
    await pushBlob(house.repository('local/app'), randomBytes(40 * MiB))
    letGo()
    expect(await refusal(arriving)).toMatchObject({ code: 'SIZE_INVALID' })
  })

  test('of known size is refused before its first byte where what may not go leaves too little, and nothing has gone for it', async () => {
    const house = await openHouse({ maxSize: 64 * MiB })
    const repository = house.repository('local/app')
    await pushBlob(repository, randomBytes(30 * MiB))
    const upload = await repository.startUpload({ by })
    let asked = 0
    const body = (async function* () {
      asked += 1
      yield randomBytes(10)
    })()
    expect(await refusal(upload.append(body, 0, 40 * MiB))).toMatchObject({ code: 'DENIED', status: 403 })
    expect(asked).toBe(0)
  })

  test('costs one walk through what is kept, however many are refused at once', async () => {
    let walks = 0
    const unevictable = async () => (walks += 1) && 60 * MiB
    const house = await openHouse({ maxSize: 64 * MiB, unevictable })
    const repository = house.repository('local/app')
    await pushBlob(repository, randomBytes(30 * MiB))
    const uploads = await Promise.all(Array.from({ length: 20 }, () => repository.startUpload({ by })))
    const refused = uploads.map((upload) => refusal(upload.append(chunksOf(randomBytes(10)), 0, 40 * MiB)))
    for (const { code } of await Promise.all(refused)) expect(code).toBe('DENIED')
    expect(walks).toBe(1)
  })

  test('of unknown size is refused at its start where no room is left', async () => {
    const house = await openHouse({ maxSize: MiB })
    await pushBlob(house.repository('local/app'), randomBytes(MiB))
    expect(await refusal(house.repository('local/app').startUpload({ by }))).toMatchObject({ code: 'DENIED' })
    const manifest = imageOf(house.repository('local/app'))
    expect(await refusal(manifest)).toMatchObject({ code: 'DENIED' })
  })

  test('with a manifest is refused, and nothing of it is kept', async () => {
    const house = await openHouse({ maxSize: MiB })
    const repository = house.repository('local/app')
    const bytes = await imageOf(repository)
    await pushBlob(repository, randomBytes(MiB - house.room.used()))
    expect(await refusal(repository.putManifest(tagged('x'), bytes, ociManifest))).toMatchObject({ code: 'DENIED' })
    expect(await repository.tags()).toMatchObject({ items: [] })
  })

  test('makes room of what can be fetched again, never of what was pushed', async () => {
    const house = await openHouse({ maxSize: MiB })
    const repository = house.repository('local/app')
    const pushed = await pushBlob(repository, randomBytes(400_000))
    const fetched = randomBytes(500_000)
    const from = { origin: 'up.example', name: nameOf('app') }
    const digest = digestOf(fetched)
    const mediaType = 'application/octet-stream'
    const link = {
      repository: from,
      kind: 'blob',
      digest,
      mediaType,
      proof: 'fetched',
      credential: 'x',
      at: 0,
    } as const
    await house.catalog.keep({ digest, bytes: { bytes: fetched }, links: [link] })
    await pushBlob(repository, randomBytes(500_000))
    expect(await house.catalog.blob(digest)).toBeUndefined()
    expect(await repository.stat(pushed)).toBeDefined()
  })
})

describe('a disk that is full', () => {
  test.each(['spool.writing=error:ENOSPC', 'journal.writing=error:ENOSPC', 'files.fsynced=error:ENOSPC'])(
    'at %s refuses the push, which leaves nothing, and takes the next one',
    async (plan) => {
      const house = await openHouse()
      const repository = house.repository('local/app')
      const bytes = randomBytes(100_000)
      const upload = await repository.startUpload({ by })
      process.env['ENTREPOT_TEST_FAILPOINT'] = plan
      const pushed = upload.append(chunksOf(bytes)).then(() => upload.commit(digestOf(bytes)))
      expect(await refusal(pushed)).toMatchObject({ code: 'DENIED', status: 403 })
      delete process.env['ENTREPOT_TEST_FAILPOINT']
      expect(await repository.stat(digestOf(bytes))).toBeUndefined()
      expect(await spoolNames(house)).toEqual([])
      expect(await fileCount(house)).toBe(0)
      expect(house.room.used()).toBe(0)
      await pushBlob(repository, bytes)
      expect(await repository.stat(digestOf(bytes))).toBeDefined()
    },
  )
})
