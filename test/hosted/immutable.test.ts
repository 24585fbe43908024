import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import { parsePattern } from '../../src/oci/pattern.ts'
import { imageOf, jsonBytes, openHouse, pushBlob, refusal, tagged, tagOf } from './house.ts'

const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json'

describe('an immutable tag', () => {
  const immutableTags = [{ names: patternOf('charts/**') }, { names: patternOf('local/*'), tags: 'v*' }]

  test('takes the same manifest again, and no other', async () => {
    const repository = (await openHouse({ immutableTags })).repository('charts/app')
    const [one, two] = [await imageOf(repository), await imageOf(repository, { layers: [Buffer.from('2')] })]
    await repository.putManifest(tagged('1.0.0'), one, ociManifest)
    await repository.putManifest(tagged('1.0.0'), one, ociManifest)
    const error = await refusal(repository.putManifest(tagged('1.0.0'), two, ociManifest))
    expect(error).toMatchObject({ code: 'DENIED', status: 403 })
    expect(error.detail).toContain('immutableTags')
    const both = repository.putManifest(tagged('new'), two, ociManifest, { tags: [tagOf('1.0.0')] })
    expect(await refusal(both)).toMatchObject({ code: 'DENIED' })
    expect(await repository.knows(tagOf('new'))).toBe(false)
  })

  test('can be deleted neither by itself nor with its manifest', async () => {
    const repository = (await openHouse({ immutableTags })).repository('charts/app')
    const { digest } = await repository.putManifest(tagged('1.0.0'), await imageOf(repository), ociManifest)
    expect(await refusal(repository.deleteTag(tagOf('1.0.0')))).toMatchObject({ code: 'DENIED' })
    expect(await refusal(repository.deleteManifest(digest))).toMatchObject({ code: 'DENIED' })
  })

  test('keeps what it reaches: layers, the manifests of an index, and the type', async () => {
    const house = await openHouse({ immutableTags })
    const repository = house.repository('charts/app')
    const layer = Buffer.from('layer')
    const image = await imageOf(repository, { layers: [layer] })
    const { digest } = await repository.putManifest({ digest: digestOf(image) }, image, ociManifest)
    const platform = { mediaType: ociManifest, digest, size: image.length }
    const index = jsonBytes({ schemaVersion: 2, manifests: [platform] })
    const tagOfIndex = await repository.putManifest(tagged('2.0.0'), index, ociIndex)
    expect(await refusal(repository.deleteBlob(digestOf(layer)))).toMatchObject({ code: 'DENIED' })
    expect(await refusal(repository.deleteManifest(digest))).toMatchObject({ code: 'DENIED' })
    const retyped = repository.putManifest({ digest: tagOfIndex.digest }, index, dockerList)
    expect(await refusal(retyped)).toMatchObject({ code: 'DENIED' })

    const other = await pushBlob(repository, Buffer.from('named by nothing'))
    expect(await repository.deleteBlob(other)).toBe(true)
  })

  test.each([
    ['local/app', 'latest'],
    ['local/team/app', 'v1'],
    ['charts/app', `sha256-${'0'.repeat(64)}.sig`],
    ['charts/app', `sha256-${'0'.repeat(64)}`],
  ])('is not %s:%s', async (name, tag) => {
    const repository = (await openHouse({ immutableTags })).repository(name)
    for (const layers of [[], [Buffer.from('2')]]) {
      await repository.putManifest(tagged(tag), await imageOf(repository, { layers }), ociManifest)
    }
    expect(await repository.deleteTag(tagOf(tag))).toBe(true)
  })

  test('is local/app:v1', async () => {
    const repository = (await openHouse({ immutableTags })).repository('local/app')
    await repository.putManifest(tagged('v1'), await imageOf(repository), ociManifest)
    expect(await refusal(repository.deleteTag(tagOf('v1')))).toMatchObject({ code: 'DENIED' })
  })
})

function patternOf(text: string) {
  const pattern = parsePattern(text)
  if (!pattern) throw new TypeError(`${text} is no pattern`)
  return pattern
}
