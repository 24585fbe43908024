import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { readManifest } from '../../src/oci/manifest.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { blobBytes, fileCount, imageOf, nameOf, openHouse, pushBlob, tagged, tagOf } from './house.ts'

const absent = digestOf(Buffer.from('absent'))

describe('a delete', () => {
  async function withTags() {
    const house = await openHouse()
    const repository = house.repository('local/app')
    const bytes = await imageOf(repository, { layers: [randomBytes(50_000)] })
    const { digest } = await repository.putManifest(tagged('a'), bytes, ociManifest, { tags: [tagOf('b')] })
    return { house, repository, digest, layer: layerOf(bytes) }
  }

  test('of a tag takes the tag alone', async () => {
    const { repository, digest } = await withTags()
    expect(await repository.deleteTag(tagOf('a'))).toBe(true)
    expect(await repository.deleteTag(tagOf('a'))).toBe(false)
    expect(await repository.manifest(tagged('a'))).toBeUndefined()
    expect(await repository.manifest(tagged('b'))).toMatchObject({ digest })
    expect(await repository.tags()).toMatchObject({ items: ['b'] })
  })

  test('of a manifest takes its tags, and frees its bytes', async () => {
    const { house, repository, digest } = await withTags()
    const before = await fileCount(house)
    expect(await repository.deleteManifest(digest)).toBe(true)
    expect(await repository.manifest({ digest })).toBeUndefined()
    expect(await repository.manifest(tagged('b'))).toBeUndefined()
    expect(await repository.tags()).toMatchObject({ items: [] })
    await expect.poll(() => fileCount(house)).toBe(before - 1)
    expect(await repository.deleteManifest(digest)).toBe(false)
  })

  test('of a blob is visible at once, and frees its bytes with the last link', async () => {
    const { house, repository, layer } = await withTags()
    const other = house.repository('local/other')
    expect(await other.mount(layer, { origin: 'hosted', name: nameOf('local/app') })).toBe(true)
    const before = await fileCount(house)
    expect(await repository.deleteBlob(layer)).toBe(true)
    expect(await repository.stat(layer)).toBeUndefined()
    expect(await repository.blob(layer)).toBeUndefined()
    expect(await repository.deleteBlob(layer)).toBe(false)
    expect(await other.stat(layer)).toBeDefined()
    expect(await fileCount(house)).toBe(before)
    expect(await other.deleteBlob(layer)).toBe(true)
    await expect.poll(() => fileCount(house)).toBe(before - 1)
  })

  test('leaves a client that reads its bytes undisturbed', async () => {
    const { repository, layer } = await withTags()
    const opened = await repository.blob(layer)
    await repository.deleteBlob(layer)
    expect(await opened?.bytes.read(0, Buffer.alloc(10))).toBe(10)
    await opened?.bytes.close()
  })

  test('that passes an upload of the same bytes does not take them from it', async () => {
    const { house, repository, layer } = await withTags()
    const bytes = Buffer.from(await bytesOf(repository, layer))
    const other = house.repository('local/other')
    await Promise.all([repository.deleteBlob(layer), pushBlob(other, bytes)])
    await repository.deleteBlob(layer)
    expect(Buffer.from(await bytesOf(other, layer))).toEqual(bytes)
  })
})

describe('a mount', () => {
  test('links what a repository has, without a copy, and nothing else', async () => {
    const house = await openHouse()
    const digest = await pushBlob(house.repository('local/from'), randomBytes(1000))
    const to = house.repository('local/to')
    expect(await to.mount(digest, { origin: 'hosted', name: nameOf('local/without') })).toBe(false)
    expect(await to.mount(absent, { origin: 'hosted', name: nameOf('local/from') })).toBe(false)
    expect(await to.holders(digest)).toEqual([{ origin: 'hosted', name: 'local/from' }])
    expect(await to.mount(digest, { origin: 'hosted', name: nameOf('local/from') })).toBe(true)
    expect(await to.stat(digest)).toMatchObject({ size: 1000 })
    expect(await fileCount(house)).toBe(1)
  })

  test('from a proxied repository makes a file of what is inline, which eviction leaves alone', async () => {
    const house = await openHouse()
    const bytes = randomBytes(1000)
    const digest = digestOf(bytes)
    const from = { origin: 'up.example', name: nameOf('app') }
    const mediaType = 'application/octet-stream'
    const link = {
      repository: from,
      kind: 'blob',
      digest,
      mediaType,
      proof: 'fetched',
      credential: 'anonymous',
      at: 0,
    } as const
    await house.catalog.keep({ digest, bytes: { bytes }, links: [link] })
    expect(await house.catalog.blob(digest)).toMatchObject({ place: 'inline' })
    expect(await house.repository('local/app').mount(digest, from)).toBe(true)
    expect(await house.catalog.blob(digest)).toMatchObject({ place: 'file' })
    expect(await house.catalog.forget(digest)).toBe(0)
    expect(Buffer.from(await bytesOf(house.repository('local/app'), digest))).toEqual(bytes)
  })

  test('of what a private credential opened is none', async () => {
    const house = await openHouse({ isVisible: ({ credential }) => credential !== 'private' })
    const bytes = randomBytes(1000)
    const digest = digestOf(bytes)
    const from = { origin: 'up.example', name: nameOf('app') }
    const mediaType = 'application/octet-stream'
    const link = {
      repository: from,
      kind: 'blob',
      digest,
      mediaType,
      proof: 'fetched',
      credential: 'private',
      at: 0,
    } as const
    await house.catalog.keep({ digest, bytes: { bytes }, links: [link] })
    expect(await house.repository('local/app').mount(digest, from)).toBe(false)
  })
})

async function bytesOf(...asked: Parameters<typeof blobBytes>): Promise<Uint8Array> {
  const bytes = await blobBytes(...asked)
  if (!bytes) throw new Error('it is not there')
  return bytes
}

function layerOf(manifest: Uint8Array): Digest {
  return readManifest(manifest, ociManifest).children[1]?.digest ?? absent
}
