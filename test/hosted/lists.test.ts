import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import type { HostedRepository } from '../../src/repository/hosted.ts'
import { createRanges } from '../../src/repository/ranges.ts'
import { imageOf, jsonBytes, openHouse, pushBlob, referring, tagged, tagOf } from './house.ts'

const subject = digestOf(Buffer.from('subject'))

async function pushVersions(repository: HostedRepository, ...versions: string[]): Promise<void> {
  for (const version of versions) {
    const bytes = await imageOf(repository, { layers: [Buffer.from(version)] })
    await repository.putManifest(tagged(version), bytes, ociManifest)
  }
}

/** An artifact that refers to `subject`. */
async function referrer(repository: HostedRepository, more: Record<string, unknown> = {}) {
  const bytes = await imageOf(repository, {
    more: { subject: { mediaType: ociManifest, digest: subject, size: 7 }, ...more },
  })
  return { bytes, digest: digestOf(bytes) }
}

describe('the tags of a hosted repository', () => {
  test('are listed in ascending order, at once after each push', async () => {
    const repository = (await openHouse()).repository('charts/app')
    await pushVersions(repository, '1.10.0', '1.9.0', 'latest')
    expect(await repository.tags()).toEqual({ items: ['1.10.0', '1.9.0', 'latest'], cache: 'hit' })
    await pushVersions(repository, '1.2.0')
    expect((await repository.tags())?.items).toEqual(['1.10.0', '1.2.0', '1.9.0', 'latest'])
  })

  test('are a list of the same identity while nothing changes, so that ranges are read once', async () => {
    const repository = (await openHouse()).repository('charts/app')
    await pushVersions(repository, '1.0.0')
    expect((await repository.tags())?.items).toBe((await repository.tags())?.items)
  })

  test('do not exist where nothing was pushed, and are none where no manifest has a tag', async () => {
    const repository = (await openHouse()).repository('charts/app')
    expect(await repository.tags()).toBeUndefined()
    await pushBlob(repository, Buffer.from('blob'))
    expect(await repository.tags()).toMatchObject({ items: [] })
  })

  test('are those of one repository, not of those whose name begins alike', async () => {
    const house = await openHouse()
    await pushVersions(house.repository('charts/app'), '1.0.0')
    await pushVersions(house.repository('charts/app2'), '2.0.0')
    await pushVersions(house.repository('charts/app/sub'), '3.0.0')
    expect((await house.repository('charts/app').tags())?.items).toEqual(['1.0.0'])
  })
})

describe('a version range', () => {
  test('means the highest tag that matches', async () => {
    const repository = (await openHouse()).repository('charts/app')
    await pushVersions(repository, '1.1.0', '1.2.0', '2.0.0')
    const ranges = createRanges({ holdFor: 0 })
    const found = await ranges.byRange(repository, { range: '^1.0', profile: 'helm' })
    expect(found?.resolution?.tag).toBe('1.2.0')
    expect(found?.manifest?.digest).toBe((await repository.manifest(tagged('1.2.0')))?.digest)
    await pushVersions(repository, '1.3.0')
    expect((await ranges.byRange(repository, { range: '^1.0', profile: 'helm' }))?.resolution?.tag).toBe('1.3.0')
  })

  test('is never looked for where its literal tag exists', async () => {
    const repository = (await openHouse()).repository('charts/app')
    await pushVersions(repository, '1.x', '1.2.0')
    const found = await createRanges().byTag(repository, tagOf('1.x'), { range: '1.x', profile: 'helm' })
    expect(found.resolution).toBeUndefined()
    expect(found.manifest?.digest).toBe((await repository.manifest(tagged('1.x')))?.digest)
  })

  test('finds the first tag that is kept whole', async () => {
    const repository = (await openHouse()).repository('charts/app')
    await pushVersions(repository, '1.0.0', '1.1.0')
    await repository.deleteBlob(digestOf(Buffer.from('1.1.0')))
    expect(await repository.firstComplete(['none', '1.1.0', '1.0.0'])).toBe('1.0.0')
  })
})

describe('referrers', () => {
  test('of anything are a list, empty where there are none', async () => {
    const repository = (await openHouse()).repository('local/app')
    expect(await repository.referrers(subject)).toMatchObject({ cache: 'hit' })
    expect(await referring(repository, subject)).toEqual([])
  })

  test('have the artifact type and the annotations of their manifests', async () => {
    const repository = (await openHouse()).repository('local/app')
    const annotations = { 'org.example': 'yes' }
    const typed = await referrer(repository, { artifactType: 'application/vnd.example.sbom', annotations })
    const untyped = await referrer(repository)
    await repository.putManifest({ digest: typed.digest }, typed.bytes, ociManifest)
    await repository.putManifest({ digest: untyped.digest }, untyped.bytes, ociManifest)
    const items = await referring(repository, subject)
    expect(items.toSorted((a, b) => a.size - b.size)).toEqual([
      {
        mediaType: ociManifest,
        digest: untyped.digest,
        size: untyped.bytes.length,
        artifactType: 'application/vnd.oci.image.config.v1+json',
      },
      {
        mediaType: ociManifest,
        digest: typed.digest,
        size: typed.bytes.length,
        artifactType: 'application/vnd.example.sbom',
        annotations,
      },
    ])
  })

  test('that are indexes without a type have none', async () => {
    const repository = (await openHouse()).repository('local/app')
    const bytes = jsonBytes({
      schemaVersion: 2,
      mediaType: ociIndex,
      manifests: [],
      subject: { mediaType: ociManifest, digest: subject, size: 7 },
    })
    await repository.putManifest(tagged('x'), bytes, ociIndex)
    expect((await referring(repository, subject))[0]).not.toHaveProperty('artifactType')
  })

  test('are gone with their manifest, and are those of one repository', async () => {
    const house = await openHouse()
    const repository = house.repository('local/app')
    const { bytes, digest } = await referrer(repository)
    await repository.putManifest({ digest }, bytes, ociManifest)
    expect(await referring(house.repository('local/app2'), subject)).toEqual([])
    await repository.deleteManifest(digest)
    expect(await referring(repository, subject)).toEqual([])
  })

  test('are merged with those of an older list by the tag schema that are here', async () => {
    const repository = (await openHouse()).repository('local/app')
    const known = await referrer(repository)
    await repository.putManifest({ digest: known.digest }, known.bytes, ociManifest)
    const older = await imageOf(repository, { layers: [Buffer.from('older')] })
    await repository.putManifest({ digest: digestOf(older) }, older, ociManifest)
    const entries = [
      { mediaType: ociManifest, digest: known.digest, size: known.bytes.length },
      { mediaType: ociManifest, digest: digestOf(older), size: older.length, artifactType: 'application/x.older' },
      { mediaType: ociManifest, digest: digestOf(Buffer.from('nowhere')), size: 7 },
    ]
    const list = jsonBytes({ schemaVersion: 2, mediaType: ociIndex, manifests: entries })
    await repository.putManifest(tagged(subject.replace(':', '-')), list, ociIndex)
    const items = await referring(repository, subject)
    expect(items.map(({ digest }) => digest)).toEqual([known.digest, digestOf(older)].toSorted())
    expect(items.find(({ digest }) => digest === known.digest)).toHaveProperty('artifactType')
    expect(items.find(({ digest }) => digest !== known.digest)?.artifactType).toBe('application/x.older')
  })

  test('go on after any of them, older ones too, in the order of their digests', async () => {
    const repository = (await openHouse()).repository('local/app')
    const entries = []
    for (let index = 0; index < 40; index += 1) {
      const isOlder = index % 4 === 0
      const layers = [Buffer.from(String(index))]
      const bytes = isOlder ? await imageOf(repository, { layers }) : (await referrer(repository, { index })).bytes
      const digest = digestOf(bytes, index % 5 === 0 ? 'sha512' : 'sha256')
      await repository.putManifest({ digest }, bytes, ociManifest)
      if (index % 2 === 0) entries.push({ mediaType: ociManifest, digest, size: bytes.length })
    }
    const list = jsonBytes({ schemaVersion: 2, mediaType: ociIndex, manifests: [...entries, ...entries] })
    await repository.putManifest(tagged(subject.replace(':', '-')), list, ociIndex)
    const all = (await referring(repository, subject)).map(({ digest }) => digest)
    expect(all).toHaveLength(40)
    expect(all).toEqual(all.toSorted())
    for (const [index, digest] of all.entries()) {
      const rest = await referring(repository, subject, digest)
      expect(rest.map((one) => one.digest)).toEqual(all.slice(index + 1))
    }
  })

  test('are not the platforms of an index that is tagged with its own digest, as cosign copies it', async () => {
    const repository = (await openHouse()).repository('local/app')
    const image = await imageOf(repository, { layers: [Buffer.from('amd64')] })
    await repository.putManifest({ digest: digestOf(image) }, image, ociManifest)
    const platform = { mediaType: ociManifest, digest: digestOf(image), size: image.length }
    const index = jsonBytes({ schemaVersion: 2, mediaType: ociIndex, manifests: [platform] })
    await repository.putManifest(tagged(digestOf(index).replace(':', '-')), index, ociIndex)
    expect(await referring(repository, digestOf(index))).toEqual([])
  })
})
