import { randomBytes } from 'node:crypto'
import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { blobBytes, chunksOf, openHouse, refusal, spoolNames } from './house.ts'

const by = 'anonymous'

describe('a session', () => {
  test.each([
    ['another repository', 'local/other', by],
    ['another user', 'local/app', 'mallory'],
  ])('is not there for %s', async (_, name, who) => {
    const house = await openHouse()
    const { id } = await house.repository('local/app').startUpload({ by })
    expect(await house.repository(name).upload(id, who)).toBeUndefined()
    expect(await house.repository('local/app').upload('0'.repeat(32), by)).toBeUndefined()
  })

  test.each([0, 100_000])('with %i bytes goes on after a restart', async (arrived) => {
    const first = await openHouse()
    const bytes = randomBytes(150_000)
    const { id } = await startWith(first, bytes.subarray(0, arrived))
    await first.close()
    const second = await openHouse({ directory: first.directory })
    expect(second.room.used()).toBe(arrived)
    const repository = second.repository('local/app')
    const upload = await repository.upload(id, by)
    expect(upload?.offset).toBe(arrived)
    await upload?.append(chunksOf(bytes.subarray(arrived)), arrived)
    await upload?.commit(digestOf(bytes))
    expect(await blobBytes(repository, digestOf(bytes))).toEqual(bytes)
    expect(second.room.used()).toBe(bytes.length)
    expect(await spoolNames(second)).toEqual([])
  })

  test('is left alone by a sweep of spools that makes room', async () => {
    const house = await openHouse()
    const upload = await startWith(house, randomBytes(1000))
    await house.close()
    const again = await openHouse({ directory: house.directory })
    expect(await again.spools.sweep(0)).toEqual({ deleted: 0, kept: 1000 })
    expect((await again.repository('local/app').upload(upload.id, by))?.offset).toBe(1000)
  })

  test('whose file is torn is none, and its bytes go', async () => {
    const house = await openHouse()
    const { id } = await startWith(house, randomBytes(1000))
    await house.close()
    const file = (await spoolNames(house)).find((name) => name.endsWith('.session')) ?? ''
    await writeFile(join(house.directory, 'spool', file), '01234567 {"id"')
    const again = await openHouse({ directory: house.directory })
    expect(await again.repository('local/app').upload(id, by)).toBeUndefined()
    await again.spools.sweep(0)
    expect(await spoolNames(again)).toEqual([])
  })

  test('that nobody goes on with is over after a day', async () => {
    const clock = { now: 1_800_000_000_000 }
    const house = await openHouse({ clock })
    const { id } = await startWith(house, randomBytes(1000))
    clock.now += 24 * 60 * 60_000 - 1
    await house.hosted.sweep()
    expect(await spoolNames(house)).toHaveLength(2)
    clock.now += 2
    await house.hosted.sweep()
    expect(await spoolNames(house)).toEqual([])
    expect(house.room.used()).toBe(0)
    expect(await house.repository('local/app').upload(id, by)).toBeUndefined()
  })

  test('of an earlier process is over after a day too', async () => {
    const clock = { now: 1_800_000_000_000 }
    const house = await openHouse({ clock })
    await startWith(house, randomBytes(1000))
    await house.close()
    clock.now += 25 * 60 * 60_000
    const again = await openHouse({ directory: house.directory, clock })
    await again.hosted.sweep()
    expect(await spoolNames(again)).toEqual([])
    expect(again.room.used()).toBe(0)
  })

  test('of an earlier process that was gone on with lately is not over, however long ago it began', async () => {
    const clock = { now: 1_800_000_000_000 }
    const house = await openHouse({ clock })
    const { id } = await startWith(house, randomBytes(1000))
    await house.close()
    clock.now += 25 * 60 * 60_000
    const anHourAgo = (clock.now - 60 * 60_000) / 1000
    for (const name of await spoolNames(house)) {
      await utimes(join(house.directory, 'spool', name), anHourAgo, anHourAgo)
    }
    const again = await openHouse({ directory: house.directory, clock })
    await again.hosted.sweep()
    expect((await again.repository('local/app').upload(id, by))?.offset).toBe(1000)
  })

  test('is refused where a thousand are open, unless one of them has been idle for a while', async () => {
    const clock = { now: 1_800_000_000_000 }
    const repository = (await openHouse({ clock })).repository('local/app')
    const first = await repository.startUpload({ by })
    for (let count = 1; count < 1000; count += 1) await repository.startUpload({ by })
    expect(await refusal(repository.startUpload({ by }))).toMatchObject({ code: 'TOOMANYREQUESTS', status: 429 })
    clock.now += 11 * 60_000
    await repository.startUpload({ by })
    expect(await repository.upload(first.id, by)).toBeUndefined()
  })

  test('of whoever has the most makes way for another user at once', async () => {
    const repository = (await openHouse()).repository('local/app')
    const kept = await repository.startUpload({ by: 'ci' })
    const first = await repository.startUpload({ by: 'greedy' })
    for (let count = 2; count < 1000; count += 1) await repository.startUpload({ by: 'greedy' })
    expect(await refusal(repository.startUpload({ by: 'greedy' }))).toMatchObject({ code: 'TOOMANYREQUESTS' })
    const { id } = await repository.startUpload({ by: 'ci' })
    expect(await repository.upload(id, 'ci')).toBeDefined()
    expect(await repository.upload(kept.id, 'ci')).toBeDefined()
    expect(await repository.upload(first.id, 'greedy')).toBeUndefined()
  })
})

async function startWith(house: Awaited<ReturnType<typeof openHouse>>, bytes: Uint8Array) {
  const upload = await house.repository('local/app').startUpload({ by })
  await upload.append(chunksOf(bytes))
  return upload
}
