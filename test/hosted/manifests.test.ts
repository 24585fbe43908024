import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { dockerManifest, ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import { isHosted } from '../../src/repository/hosted.ts'
import { fileCount, imageOf, jsonBytes, openHouse, pushBlob, refusal, tagged, tagOf } from './house.ts'

const absent = digestOf(Buffer.from('absent'))
const foreignLayer = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'

describe('a manifest that is put', () => {
  test('is served byte for byte by tag and by digest, with the type that it came with', async () => {
    const house = await openHouse()
    const repository = house.repository('local/app')
    expect(isHosted(repository)).toBe(true)
    const bytes = await imageOf(repository, { layers: [randomBytes(100)], more: { mediaType: undefined } })
    const digest = digestOf(bytes)
    expect(await repository.putManifest(tagged('1.0'), bytes, ociManifest)).toEqual({ digest, tags: ['1.0'] })
    const expected = { digest, bytes: Buffer.from(bytes), mediaType: ociManifest, cache: 'hit' }
    expect(await repository.manifest(tagged('1.0'))).toEqual(expected)
    expect(await repository.manifest({ digest })).toEqual(expected)
    expect(await house.catalog.blob(digest)).toMatchObject({ place: 'file' })
  })

  test('by digest has no tag; with further tags all of them', async () => {
    const repository = (await openHouse()).repository('local/app')
    const bytes = await imageOf(repository)
    const digest = digestOf(bytes, 'sha512')
    expect(await repository.putManifest({ digest }, bytes, ociManifest)).toEqual({ digest, tags: [] })
    expect(await repository.knows(tagOf('a'))).toBe(false)
    const pushed = await repository.putManifest({ digest }, bytes, ociManifest, { tags: [tagOf('a'), tagOf('b')] })
    expect(pushed.tags).toEqual(['a', 'b'])
    expect(await repository.manifest(tagged('b'))).toMatchObject({ digest })
    expect(await repository.kept(tagOf('a'))).toMatchObject({ digest, cache: 'hit' })
  })

  test('may be of nearly 4 MiB', async () => {
    const repository = (await openHouse()).repository('local/app')
    const annotations = Object.fromEntries(Array.from({ length: 390 }, (_, index) => [`a${index}`, 'x'.repeat(10_000)]))
    const bytes = await imageOf(repository, { more: { annotations } })
    const { digest } = await repository.putManifest(tagged('large'), bytes, ociManifest)
    expect((await repository.manifest({ digest }))?.bytes).toEqual(Buffer.from(bytes))
  })

  test('above 4 MiB is 413', async () => {
    const repository = (await openHouse()).repository('local/app')
    const error = await refusal(repository.putManifest(tagged('x'), Buffer.alloc(4 * 1024 ** 2 + 1), ociManifest))
    expect(error).toMatchObject({ code: 'MANIFEST_INVALID', status: 413 })
  })

  test('of another digest than its path says is refused', async () => {
    const repository = (await openHouse()).repository('local/app')
    const error = await refusal(repository.putManifest({ digest: absent }, await imageOf(repository), ociManifest))
    expect(error).toMatchObject({ code: 'DIGEST_INVALID', status: 400 })
  })

  test('needs its config and layers in this repository', async () => {
    const house = await openHouse()
    const repository = house.repository('local/app')
    const layer = randomBytes(100)
    await pushBlob(house.repository('local/other'), layer)
    const descriptor = { mediaType: 'application/x.layer', digest: digestOf(layer), size: layer.length }
    const bytes = await imageOf(repository, { more: { layers: [descriptor] } })
    const error = await refusal(repository.putManifest(tagged('x'), bytes, ociManifest))
    expect(error).toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN', facts: { digests: [digestOf(layer)] } })
    expect(await repository.manifest(tagged('x'))).toBeUndefined()
  })

  test('does not need layers that clients fetch elsewhere', async () => {
    const repository = (await openHouse()).repository('local/app')
    const layers = [{ mediaType: foreignLayer, digest: absent, size: 5, urls: ['https://example.com/layer'] }]
    const bytes = await imageOf(repository, { more: { layers } })
    expect(await repository.putManifest(tagged('x'), bytes, ociManifest)).toMatchObject({ tags: ['x'] })
  })

  test('that says another size of a blob is refused', async () => {
    const repository = (await openHouse()).repository('local/app')
    const digest = await pushBlob(repository, Buffer.from('layer'))
    const bytes = await imageOf(repository, { more: { layers: [{ mediaType: 'application/x', digest, size: 6 }] } })
    const error = await refusal(repository.putManifest(tagged('x'), bytes, ociManifest))
    expect(error).toMatchObject({ code: 'SIZE_INVALID', status: 400 })
  })

  test('may be an index of absent manifests, and have an absent subject', async () => {
    const repository = (await openHouse()).repository('local/app')
    const manifests = [{ mediaType: ociManifest, digest: absent, size: 5 }]
    const subject = { mediaType: ociManifest, digest: absent, size: 5 }
    const bytes = jsonBytes({ schemaVersion: 2, mediaType: ociIndex, manifests, subject })
    const pushed = await repository.putManifest(tagged('x'), bytes, ociIndex)
    expect(pushed).toMatchObject({ subject: absent, tags: ['x'] })
  })

  test.each([
    ['no JSON', Buffer.from('{'), ociManifest],
    ['both an index and an image', jsonBytes({ schemaVersion: 2, manifests: [], layers: [] }), ociIndex],
    ['of another type than it says', jsonBytes({ mediaType: dockerManifest }), ociManifest],
  ])('that is %s is refused, and nothing of it is kept', async (_, bytes, mediaType) => {
    const house = await openHouse()
    const repository = house.repository('local/app')
    expect(await refusal(repository.putManifest(tagged('x'), bytes, mediaType))).toMatchObject({
      code: 'MANIFEST_INVALID',
    })
    expect(await fileCount(house)).toBe(0)
    expect(await repository.tags()).toBeUndefined()
  })

  test('of a type that is not read here is kept as it is', async () => {
    const repository = (await openHouse()).repository('local/app')
    const bytes = Buffer.from('anything at all')
    const { digest } = await repository.putManifest(tagged('x'), bytes, 'application/vnd.example+thing')
    expect(await repository.manifest({ digest })).toMatchObject({ mediaType: 'application/vnd.example+thing', bytes })
  })

  test('moves its tag, and what it meant before stays by digest', async () => {
    const repository = (await openHouse()).repository('local/app')
    const [one, two] = [await imageOf(repository), await imageOf(repository, { layers: [Buffer.from('2')] })]
    await repository.putManifest(tagged('latest'), one, ociManifest)
    await repository.putManifest(tagged('latest'), two, ociManifest)
    expect(await repository.manifest(tagged('latest'))).toMatchObject({ digest: digestOf(two) })
    expect(await repository.manifest({ digest: digestOf(one) })).toBeDefined()
  })
})
