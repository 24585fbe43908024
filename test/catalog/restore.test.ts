import { randomBytes } from 'node:crypto'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { keys } from '../../src/catalog/records.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { openLevel } from '../../src/store/level.ts'
import { appendHistory } from '../crash/history.ts'
import {
  blobBytes,
  fileCount,
  type House,
  imageOf,
  nameOf,
  openHouse,
  pushBlob,
  referring,
  refusal,
  tagged,
  tagOf,
} from '../hosted/house.ts'

afterEach(() => {
  delete process.env['ENTREPOT_TEST_FAILPOINT']
})

const app = { origin: 'hosted', name: nameOf('local/app') }
const subject = digestOf(Buffer.from('subject'))

/** Everything that a journal can say. */
async function furnish(house: House) {
  const repository = house.repository('local/app')
  const layer = randomBytes(30_000)
  const one = await imageOf(repository, { layers: [layer] })
  const two = await imageOf(repository, {
    more: { subject: { mediaType: ociManifest, digest: subject, size: 7 }, artifactType: 'application/x.sbom' },
  })
  const gone = await imageOf(repository, {
    layers: [Buffer.from('3')],
    more: { subject: { mediaType: ociManifest, digest: subject, size: 7 } },
  })
  await repository.putManifest(tagged('1.0'), one, ociManifest, { tags: [tagOf('latest')] })
  await repository.putManifest({ digest: digestOf(two) }, two, ociManifest)
  await repository.putManifest(tagged('old'), gone, ociManifest)
  await repository.putManifest(tagged('latest'), two, ociManifest)
  await house.repository('local/other').mount(digestOf(layer), app)
  await repository.deleteManifest(digestOf(gone))
  await repository.deleteBlob(digestOf(Buffer.from('3')))
  const dropped = await pushBlob(repository, randomBytes(10), 'sha512')
  await repository.deleteBlob(dropped)
  return { layer, one, two, gone: digestOf(gone), dropped }
}

async function expectFurnished(house: House, { layer, one, two, gone, dropped }: Awaited<ReturnType<typeof furnish>>) {
  const repository = house.repository('local/app')
  const manifest = { mediaType: ociManifest, cache: 'hit' }
  expect(await repository.tags()).toMatchObject({ items: ['1.0', 'latest'] })
  expect(await repository.manifest(tagged('1.0'))).toEqual({ ...manifest, digest: digestOf(one), bytes: one })
  expect(await repository.manifest(tagged('latest'))).toEqual({ ...manifest, digest: digestOf(two), bytes: two })
  expect(await repository.manifest({ digest: gone })).toBeUndefined()
  expect(await repository.stat(dropped)).toBeUndefined()
  const referrers = await referring(repository, subject)
  expect(referrers.map(({ digest, artifactType }) => [digest, artifactType])).toEqual([
    [digestOf(two), 'application/x.sbom'],
  ])
  for (const name of ['local/app', 'local/other'])
    expect(await blobBytes(house.repository(name), digestOf(layer))).toEqual(layer)
  expect(await repository.firstComplete(['1.0'])).toBe('1.0')
  const reached = [digestOf(Buffer.from('{}')), digestOf(layer)]
  expect((await house.catalog.edges(digestOf(one)))?.children.map(({ digest }) => digest)).toEqual(reached)
}

/** What the store holds, times and positions left out. */
async function recordsOf({ directory }: House): Promise<string[]> {
  const { store } = await openLevel(join(directory, 'catalog'), { reserve: 0 })
  const found = []
  for await (const [key, value] of store.scan('')) {
    if (/^(?:used|journal|files-known)/.test(key)) continue
    const text = Buffer.from(value).toString()
    found.push(`${key} ${text.replaceAll(/"(?:verifiedAt|keptAt)":\d+/g, '')}`)
  }
  await store.close()
  return found
}

async function reopen(house: House, between: () => Promise<unknown>): Promise<House> {
  await house.close()
  await between()
  return openHouse({ directory: house.directory })
}

describe('the catalog that is lost', () => {
  test('is made again from the journal, record by record', async () => {
    const house = await openHouse()
    const furnished = await furnish(house)
    await expect.poll(() => fileCount(house)).toBe(4)
    await house.close()
    const before = await recordsOf(house)
    await rm(join(house.directory, 'catalog'), { recursive: true })
    const again = await openHouse({ directory: house.directory })
    expect(again.restored).toMatchObject({ how: 'rebuilt', damaged: 0 })
    await expectFurnished(again, furnished)
    await again.close()
    expect(await recordsOf(again)).toEqual(before)
  })

  test('and is lost again gives the same again', async () => {
    const house = await openHouse()
    const furnished = await furnish(house)
    const lose = () => rm(join(house.directory, 'catalog'), { recursive: true })
    const once = await reopen(house, lose)
    await pushBlob(once.repository('local/app'), Buffer.from('later'))
    const twice = await reopen(once, lose)
    await expectFurnished(twice, furnished)
    expect(await twice.repository('local/app').stat(digestOf(Buffer.from('later')))).toBeDefined()
  })

  test('together with a file leaves its links without bytes, until they are pushed again', async () => {
    const house = await openHouse()
    const bytes = randomBytes(100)
    const digest = await pushBlob(house.repository('local/app'), bytes)
    const again = await reopen(house, async () => {
      await rm(join(house.directory, 'catalog'), { recursive: true })
      await house.files.delete(digest)
    })
    expect(await again.repository('local/app').stat(digest)).toBeUndefined()
    await pushBlob(again.repository('local/app'), bytes)
    expect(await blobBytes(again.repository('local/app'), digest)).toEqual(bytes)
  })
})

describe('an entry that the records do not have yet', () => {
  test('is replayed at the next start', async () => {
    const house = await openHouse()
    const repository = house.repository('local/app')
    await pushBlob(repository, Buffer.from('one'))
    const before = await readFile(join(house.directory, 'journal'))
    const digest = await pushBlob(repository, Buffer.from('two'))
    const after = await readFile(join(house.directory, 'journal'))
    await house.catalog.unlink({ repository: app, kind: 'blob', digest })
    await house.close()
    // The unlink is in the records, and the journal goes back to before it: as if it were the push that came last.
    await writeFile(join(house.directory, 'journal'), after)
    const { store } = await openLevel(join(house.directory, 'catalog'), { reserve: 0 })
    const record = JSON.parse(Buffer.from((await store.get(keys.journal())) ?? []).toString()) as object
    await store.batch([
      { put: keys.journal(), value: Buffer.from(JSON.stringify({ ...record, position: before.length })) },
    ])
    await store.close()
    const again = await openHouse({ directory: house.directory })
    expect(again.restored).toMatchObject({ how: 'replayed', entries: 1 })
    expect(await again.repository('local/app').stat(digest)).toBeDefined()
  })

  test('is none at a first start, which writes no record that could fail', async () => {
    process.env['ENTREPOT_TEST_FAILPOINT'] = 'level.batch-before=error:ENOSPC'
    const house = await openHouse()
    expect(house.restored).toEqual({ how: 'replayed', entries: 0, damaged: 0 })
    delete process.env['ENTREPOT_TEST_FAILPOINT']
    expect((await reopen(house, async () => {})).restored.entries).toBe(0)
  })

  test('is none after a start that ended well', async () => {
    const house = await openHouse()
    await furnish(house)
    const again = await reopen(house, async () => {})
    expect(again.restored).toEqual({ how: 'replayed', entries: 0, damaged: 0 })
  })

  test('whose batch failed is taken back, so that no later start finds it', async () => {
    const house = await openHouse()
    const repository = house.repository('local/app')
    await pushBlob(repository, Buffer.from('one'))
    const { size } = await stat(join(house.directory, 'journal'))
    process.env['ENTREPOT_TEST_FAILPOINT'] = 'level.batch-before=error:ENOSPC'
    expect(await refusal(pushBlob(repository, Buffer.from('two')))).toMatchObject({ code: 'DENIED' })
    delete process.env['ENTREPOT_TEST_FAILPOINT']
    expect((await stat(join(house.directory, 'journal'))).size).toBe(size)
    await expect.poll(() => pushBlob(repository, Buffer.from('three')).catch(() => undefined)).toBeDefined()
    const again = await reopen(house, () => rm(join(house.directory, 'catalog'), { recursive: true }))
    expect(await again.repository('local/app').stat(digestOf(Buffer.from('two')))).toBeUndefined()
    expect(await again.repository('local/app').stat(digestOf(Buffer.from('three')))).toBeDefined()
  })
})

describe('the journal', () => {
  test('that is lost is written again from the records', async () => {
    const house = await openHouse()
    const furnished = await furnish(house)
    const again = await reopen(house, () => rm(join(house.directory, 'journal')))
    expect(again.restored.how).toBe('rewritten')
    await expectFurnished(again, furnished)
    const rebuilt = await reopen(again, () => rm(join(house.directory, 'catalog'), { recursive: true }))
    expect(rebuilt.restored.how).toBe('rebuilt')
    await expectFurnished(rebuilt, furnished)
  })

  test('that ends earlier than the records is written again from them', async () => {
    const house = await openHouse()
    const before = await readFile(join(house.directory, 'journal'))
    const furnished = await furnish(house)
    const again = await reopen(house, () => writeFile(join(house.directory, 'journal'), before))
    expect(again.restored.how).toBe('rewritten')
    const rebuilt = await reopen(again, () => rm(join(house.directory, 'catalog'), { recursive: true }))
    await expectFurnished(rebuilt, furnished)
  })

  test('with a damaged line is mended from the records', async () => {
    const house = await openHouse()
    const furnished = await furnish(house)
    const path = join(house.directory, 'journal')
    const mended = await reopen(house, async () => {
      const bytes = await readFile(path)
      bytes[bytes.indexOf('"tag":"1.0"') + 8] = 0x39
      await writeFile(path, bytes)
    })
    expect(mended.restored.damaged).toBe(1)
    const rebuilt = await reopen(mended, () => rm(join(house.directory, 'catalog'), { recursive: true }))
    expect(rebuilt.restored.damaged).toBe(0)
    await expectFurnished(rebuilt, furnished)
  })

  test('of much history is written anew after the next push, and says the same', async () => {
    const house = await openHouse()
    const furnished = await furnish(house)
    const path = join(house.directory, 'journal')
    await house.close()
    await appendHistory(path, 1024 ** 2)
    const again = await openHouse({ directory: house.directory })
    expect((await stat(path)).size).toBeGreaterThan(1024 ** 2)
    await pushBlob(again.repository('local/app'), Buffer.from('the next'))
    await expect.poll(async () => (await stat(path)).size, { timeout: 10_000 }).toBeLessThan(10_000)
    await expectFurnished(again, furnished)
    const restarted = await reopen(again, async () => {})
    expect(restarted.restored).toEqual({ how: 'replayed', entries: 0, damaged: 0 })
    const rebuilt = await reopen(restarted, () => rm(join(house.directory, 'catalog'), { recursive: true }))
    await expectFurnished(rebuilt, furnished)
  })
})

describe('a record that rots', () => {
  test('is made again by the next start once somebody has met it', async () => {
    const house = await openHouse()
    const furnished = await furnish(house)
    await house.catalog.doubt()
    await house.close()
    const { store } = await openLevel(join(house.directory, 'catalog'), { reserve: 0 })
    await store.batch([{ delete: keys.tag(app, tagOf('1.0')) }, { delete: keys.blob(digestOf(furnished.layer)) }])
    await store.close()
    const again = await openHouse({ directory: house.directory })
    expect(again.restored.how).toBe('rebuilt')
    await expectFurnished(again, furnished)
    expect((await reopen(again, async () => {})).restored.entries).toBe(0)
  })
})
