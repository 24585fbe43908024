import { randomBytes } from 'node:crypto'
import { appendFile, chmod, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ociManifest } from '../../src/oci/media-types.ts'
import { blobBytes, fileCount, imageOf, openHouse, pushBlob, tagged } from './house.ts'

describe('damaged bytes', () => {
  test('that cannot be fetched again are set aside, and a second push makes the blob whole', async () => {
    const clock = { now: 1_800_000_000_000 }
    const house = await openHouse({ clock })
    const repository = house.repository('local/app')
    const bytes = randomBytes(200_000)
    const digest = await pushBlob(repository, bytes)
    await damage(house.directory, digest, bytes.length)
    clock.now += 25 * 60 * 60_000
    await expect(blobBytes(repository, digest)).rejects.toThrow('do not match')
    expect(await repository.stat(digest)).toBeUndefined()
    expect(await fileCount(house)).toBe(1)
    await pushBlob(repository, bytes)
    expect(await blobBytes(repository, digest)).toEqual(bytes)
  })

  test('are made whole by a push of the right ones, whatever the record says', async () => {
    const house = await openHouse()
    const repository = house.repository('local/app')
    const bytes = randomBytes(200_000)
    const digest = await pushBlob(repository, bytes)
    await damage(house.directory, digest, bytes.length)
    await pushBlob(house.repository('local/other'), bytes)
    expect(await blobBytes(repository, digest)).toEqual(bytes)
    expect(house.room.used()).toBe(bytes.length)
  })

  test('are found out by the first that reads them where the last process was killed', async () => {
    const house = await openHouse()
    const bytes = randomBytes(200_000)
    const digest = await pushBlob(house.repository('local/app'), bytes)
    await house.close()
    await damage(house.directory, digest, bytes.length)
    const again = await openHouse({ directory: house.directory, wasAbandoned: true })
    await expect(blobBytes(again.repository('local/app'), digest)).rejects.toThrow('do not match')
  })

  test('of a manifest are found out, and a second push makes it whole', async () => {
    const house = await openHouse()
    const bytes = await imageOf(house.repository('local/app'))
    const { digest } = await house.repository('local/app').putManifest(tagged('x'), bytes, ociManifest)
    await house.close()
    await damage(house.directory, digest, bytes.length)
    const again = await openHouse({ directory: house.directory })
    const repository = again.repository('local/app')
    expect(await repository.manifest(tagged('x'))).toBeUndefined()
    expect(again.warnings).toEqual([expect.stringContaining('damaged')])
    await repository.putManifest({ digest }, bytes, ociManifest)
    expect(await repository.manifest(tagged('x'))).toMatchObject({ digest })
  })

  test('whose file is gone read as absent, and take up no room', async () => {
    const house = await openHouse()
    const digest = await pushBlob(house.repository('local/app'), randomBytes(1000))
    await house.files.delete(digest)
    expect(await house.repository('local/app').blob(digest)).toBeUndefined()
    expect(await house.catalog.blob(digest)).toBeUndefined()
    expect(house.room.used()).toBe(0)
  })
})

/** The same size, other bytes: the file is read-only, so a new one takes its place. */
async function damage(directory: string, digest: string, size: number): Promise<void> {
  const hex = digest.slice('sha256:'.length)
  const path = join(directory, 'blobs', 'sha256', hex.slice(0, 2), hex)
  await chmod(path, 0o600)
  await truncate(path, size - 1)
  await appendFile(path, 'x')
}
