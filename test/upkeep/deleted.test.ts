import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Digest } from '../../src/oci/digest.ts'
import { freeDeleted } from '../../src/upkeep/unlinked.ts'
import { blobBytes, fileCount, type House, nameOf, openHouse, pushBlob } from '../hosted/house.ts'

const app = { origin: 'hosted', name: nameOf('local/app') }

/** The end of a blob's last link, after which the process ended. */
async function deleted(house: House): Promise<Digest> {
  const digest = await pushBlob(house.repository('local/app'), randomBytes(1000))
  await house.catalog.unlink({ repository: app, kind: 'blob', digest })
  expect(await fileCount(house)).toBe(1)
  return digest
}

async function reopened(house: House, between: () => Promise<unknown> = async () => {}): Promise<House> {
  await house.close()
  await between()
  return openHouse({ directory: house.directory })
}

function leftToFree({ catalog }: House): Promise<Digest[]> {
  return Array.fromAsync(catalog.toFree())
}

describe('a delete that was answered, and whose bytes nobody came to free', () => {
  test('is finished after the next start', async () => {
    const house = await openHouse()
    const digest = await deleted(house)
    const again = await reopened(house)
    expect(await leftToFree(again)).toEqual([digest])
    await freeDeleted(again.catalog)
    expect([await fileCount(again), again.room.used()]).toEqual([0, 0])
    expect(await leftToFree(again)).toEqual([])
  })

  test('is finished too where its records were lost with the catalog', async () => {
    const house = await openHouse()
    const digest = await deleted(house)
    const again = await reopened(house, () => rm(join(house.directory, 'catalog'), { recursive: true }))
    await again.catalog.adoptFile(digest, { size: 1000, place: 'file', verifiedAt: 0, keptAt: 0, sources: [] })
    await freeDeleted(again.catalog)
    expect([await fileCount(again), await leftToFree(again)]).toEqual([0, []])
  })

  test('frees nothing that has another link, or is pushed again meanwhile', async () => {
    const house = await openHouse()
    const digest = await deleted(house)
    const bytes = randomBytes(1000)
    const shared = await pushBlob(house.repository('local/app'), bytes)
    await house.repository('local/other').mount(shared, app)
    await house.catalog.unlink({ repository: app, kind: 'blob', digest: shared })
    const again = await reopened(house)
    expect(await leftToFree(again)).toEqual([digest])
    const link = { kind: 'blob', digest, mediaType: 'x/y', proof: 'pushed', credential: '', at: 1 } as const
    const [isLinked] = await Promise.all([
      again.catalog.addLink({ ...link, repository: app }),
      freeDeleted(again.catalog),
    ])
    expect(isLinked).toBe(true)
    await freeDeleted(again.catalog)
    expect(await again.repository('local/app').stat(digest)).toBeDefined()
    expect(await blobBytes(again.repository('local/other'), shared)).toEqual(bytes)
    expect(await leftToFree(again)).toEqual([])
  })

  test('frees nothing while a record is corrupt, since a link may be', async () => {
    const house = await openHouse()
    await deleted(house)
    await house.catalog.doubt()
    await expect(freeDeleted(house.catalog)).rejects.toThrow('could not be freed')
    expect(await fileCount(house)).toBe(1)
    const again = await reopened(house)
    await freeDeleted(again.catalog)
    expect(await fileCount(again)).toBe(0)
  })
})
