import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Level } from 'level'
import { describe, expect, test } from 'vitest'
import type { Catalog } from '../../src/catalog/catalog.ts'
import { keys, type Link } from '../../src/catalog/records.ts'
import { dropUnreferenced } from '../../src/hosted/unreferenced.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import { heldMemory } from '../support/memory.ts'
import { chunksOf, fileCount, imageOf, jsonBytes, nameOf, openHouse, pushBlob, tagged, tagOf } from './house.ts'

const grace = 10 * 60_000
const hour = 60 * 60_000
const app = { origin: 'hosted', name: nameOf('local/app') }

async function quietHouse() {
  const clock = { now: 1_800_000_000_000 }
  const house = await openHouse({ clock })
  return { clock, house, repository: house.repository('local/app') }
}

describe('a blob that no manifest names', () => {
  test('is freed once nobody can be about to name it', async () => {
    const { clock, house, repository } = await quietHouse()
    const digest = await pushBlob(repository, randomBytes(1000))
    clock.now += grace
    await house.hosted.sweep()
    expect(await house.catalog.link(app, 'blob', digest)).toBeDefined()
    clock.now += 1
    await house.hosted.sweep()
    expect(await repository.stat(digest)).toBeUndefined()
    await expect.poll(() => fileCount(house)).toBe(0)
    expect(house.room.used()).toBe(0)
  })

  test('stays for ten minutes after a client has found it', async () => {
    const { clock, house, repository } = await quietHouse()
    const digest = await pushBlob(repository, randomBytes(1000))
    clock.now += 2 * hour
    expect(await repository.stat(digest)).toBeDefined()
    clock.now += grace
    await house.hosted.sweep()
    expect(await fileCount(house)).toBe(1)
    clock.now += 1
    await house.hosted.sweep()
    await expect.poll(() => fileCount(house)).toBe(0)
  })

  test('stays while an upload into its repository is open, and for ten minutes after', async () => {
    const { clock, house, repository } = await quietHouse()
    await pushBlob(repository, randomBytes(1000))
    const upload = await repository.startUpload({ by: 'anonymous' })
    clock.now += 5 * hour
    await house.hosted.sweep()
    const bytes = randomBytes(10)
    await upload.append(chunksOf(bytes))
    await upload.commit(digestOf(bytes))
    clock.now += grace
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

  test('was named by a manifest whose bytes are lost: it is freed once the tag of that one is deleted', async () => {
    const { clock, house, repository } = await quietHouse()
    const bytes = await imageOf(repository, { layers: [randomBytes(1000)] })
    const { digest } = await repository.putManifest(tagged('x'), bytes, ociManifest)
    await house.files.delete(digest)
    await house.catalog.open(digest)
    clock.now += 2 * hour
    await house.hosted.sweep()
    expect(await fileCount(house)).toBe(2)
    expect(await repository.deleteTag(tagOf('x'))).toBe(true)
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

  test('before a sweep, and is named by a manifest that comes while it runs, stays', async () => {
    const { clock, house, repository } = await quietHouse()
    const layers = Array.from({ length: 8 }, () => randomBytes(100))
    const bytes = await imageOf(repository, { layers })
    clock.now += 2 * hour
    const [, { digest }] = await Promise.all([
      house.hosted.sweep(),
      repository.putManifest(tagged('x'), bytes, ociManifest),
    ])
    await house.hosted.sweep()
    expect((await repository.manifest(tagged('x')))?.digest).toBe(digest)
    for (const layer of layers) expect(await repository.stat(digestOf(layer))).toBeDefined()
  })

  test('stays where a manifest of a type that nobody here reads has its digest', async () => {
    const { clock, house, repository } = await quietHouse()
    const named = [await pushBlob(repository, randomBytes(1000)), await pushBlob(repository, randomBytes(10), 'sha512')]
    const other = await pushBlob(repository, randomBytes(1000))
    const mediaType = 'application/vnd.oci.artifact.manifest.v1+json'
    const bytes = jsonBytes({ mediaType, blobs: named.map((digest) => ({ digest, size: 1000 })) })
    await repository.putManifest(tagged('x'), bytes, mediaType)
    clock.now += 2 * hour
    await house.hosted.sweep()
    for (const digest of named) expect(await house.catalog.link(app, 'blob', digest)).toBeDefined()
    expect(await house.catalog.link(app, 'blob', other)).toBeUndefined()
  })

  test('stays where a manifest has lost its bytes and what it reaches, and where a record is corrupt', async () => {
    const { clock, house, repository } = await quietHouse()
    const layer = randomBytes(1000)
    const bytes = await imageOf(repository, { layers: [layer] })
    const { digest } = await repository.putManifest(tagged('x'), bytes, ociManifest)
    clock.now += 2 * hour
    await house.close()
    const level = new Level<string, Buffer>(join(house.directory, 'catalog'), { valueEncoding: 'buffer' })
    await level.del(keys.edges(digest))
    await level.close()
    await house.files.delete(digest)
    const lossy = await openHouse({ clock, directory: house.directory })
    clock.now += 2 * hour
    await lossy.hosted.sweep()
    expect(await lossy.catalog.link(app, 'blob', digestOf(layer))).toBeDefined()

    const spare = await pushBlob(lossy.repository('local/other'), randomBytes(10))
    clock.now += 2 * hour
    await lossy.catalog.doubt()
    await lossy.hosted.sweep()
    expect(await lossy.repository('local/other').stat(spare)).toBeDefined()
  })

  test('is found without memory for what else the manifests name', async () => {
    const { clock, house, repository } = await quietHouse()
    const manifests: Digest[] = []
    for (let index = 0; index < 40; index += 1) {
      const bytes = jsonBytes({ schemaVersion: 2, mediaType: ociIndex, manifests: [], annotations: { at: `${index}` } })
      manifests.push((await repository.putManifest(tagged('x'), bytes, ociIndex)).digest)
    }
    const digest = await pushBlob(repository, randomBytes(1000))
    clock.now += 2 * hour
    let before = 0
    let most = 0
    let read = 0
    const catalog: Catalog = {
      ...house.catalog,
      // As an index of 5,000 children that nobody has, which is pushed in half a megabyte.
      async edges(of) {
        if (read === 0) before = heldMemory()
        read += 1
        if (read % 10 === 0) most = Math.max(most, heldMemory() - before)
        const named = Array.from({ length: 5000 }, () => digestOf(randomBytes(8)))
        const children = named.map((child) => ({ digest: child, size: 1, needed: true, runnable: true }))
        return (await house.catalog.edges(of)) && { kind: 'index', children }
      },
    }
    const dropped: Digest[] = []
    const push = { puts: () => 0, dropBlob: async ({ digest: one }: Link) => dropped.push(one) > 0 }
    await dropUnreferenced({ catalog, push, uploads: { since: () => clock.now }, now: () => clock.now, grace })
    expect(read).toBe(manifests.length)
    expect(dropped).toEqual([digest])
    expect(most).toBeLessThan(8 * 1024 * 1024)
  })
})
