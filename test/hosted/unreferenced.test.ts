import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { chunksOf, fileCount, imageOf, nameOf, openHouse, pushBlob, tagged } from './house.ts'

const hour = 60 * 60_000

async function quietHouse() {
  const clock = { now: 1_800_000_000_000 }
  const house = await openHouse({ clock })
  return { clock, house, repository: house.repository('local/app') }
}

describe('a blob that no manifest names', () => {
  test('is freed once nobody can be about to name it', async () => {
    const { clock, house, repository } = await quietHouse()
    const digest = await pushBlob(repository, randomBytes(1000))
    clock.now += hour
    await house.hosted.sweep()
    expect(await house.catalog.link({ origin: 'hosted', name: nameOf('local/app') }, 'blob', digest)).toBeDefined()
    clock.now += 1
    await house.hosted.sweep()
    expect(await repository.stat(digest)).toBeUndefined()
    await expect.poll(() => fileCount(house)).toBe(0)
    expect(house.room.used()).toBe(0)
  })

  test('stays for an hour after a client has found it', async () => {
    const { clock, house, repository } = await quietHouse()
    const digest = await pushBlob(repository, randomBytes(1000))
    clock.now += 2 * hour
    expect(await repository.stat(digest)).toBeDefined()
    clock.now += hour
    await house.hosted.sweep()
    expect(await fileCount(house)).toBe(1)
    clock.now += 1
    await house.hosted.sweep()
    await expect.poll(() => fileCount(house)).toBe(0)
  })

  test('stays while an upload into its repository is open, and for an hour after', async () => {
    const { clock, house, repository } = await quietHouse()
    await pushBlob(repository, randomBytes(1000))
    const upload = await repository.startUpload({ by: 'anonymous' })
    clock.now += 5 * hour
    await house.hosted.sweep()
    const bytes = randomBytes(10)
    await upload.append(chunksOf(bytes))
    await upload.commit(digestOf(bytes))
    clock.now += hour
    await house.hosted.sweep()
    expect(await fileCount(house)).toBe(2)
    clock.now += 1
    await house.hosted.sweep()
    await expect.poll(() => fileCount(house)).toBe(0)
  })

  test('was named by a manifest that is deleted: it is freed with it', async () => {
    const { clock, house, repository } = await quietHouse()
    const bytes = await imageOf(repository, { layers: [randomBytes(1000)] })
    const { digest } = await repository.putManifest(tagged('x'), bytes, ociManifest)
    clock.now += 2 * hour
    await house.hosted.sweep()
    expect(await fileCount(house)).toBe(3)
    await repository.deleteManifest(digest)
    await house.hosted.sweep()
    await expect.poll(() => fileCount(house)).toBe(0)
  })

  test('stays in another repository whose manifest names it', async () => {
    const { clock, house, repository } = await quietHouse()
    const layer = randomBytes(1000)
    const other = house.repository('local/other')
    const bytes = await imageOf(other, { layers: [layer] })
    await other.putManifest(tagged('x'), bytes, ociManifest)
    await pushBlob(repository, layer)
    clock.now += 2 * hour
    await house.hosted.sweep()
    expect(await other.stat(digestOf(layer))).toBeDefined()
    expect(await repository.stat(digestOf(layer))).toBeUndefined()
  })
})
