import { randomBytes } from 'node:crypto'
import { chmod, utimes, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { type Digest, digestOf, hexOf } from '../../src/oci/digest.ts'
import { keys } from '../../src/catalog/records.ts'
import { reconcile } from '../../src/upkeep/reconcile.ts'
import { keepingOf, openShelf, type Shelf, type ShelfOptions } from '../catalog/shelf.ts'

const size = 20 * 1024
const startedAt = 1_800_000_000_000
const source = { upstream: 'upstream.test', credential: 'anonymous' }

function run(shelf: Shelf, catalogIsNew: boolean, signal = new AbortController().signal) {
  const { catalog, files, sources } = shelf
  return reconcile({ catalog, files, sources, catalogIsNew, startedAt, now: () => startedAt, log: () => {} }, signal)
}

/** A file without a record, last written at `at`. */
async function orphan(shelf: Shelf, at: number): Promise<Digest> {
  const bytes = randomBytes(size)
  const digest = digestOf(bytes)
  await shelf.files.adopt(await shelf.spool(bytes), { digest, size })
  await utimes(shelf.pathOf(digest), at / 1000, at / 1000)
  return digest
}

async function opened(options?: ShelfOptions): Promise<Shelf> {
  const shelf = await openShelf(options)
  await run(shelf, true)
  return shelf
}

describe('files under a catalog that knows them', () => {
  it('go where they have no record and are older than the start', async () => {
    const shelf = await opened()
    const old = await orphan(shelf, startedAt - 1000)
    const young = await orphan(shelf, startedAt + 1000)
    const kept = keepingOf(randomBytes(size))
    await shelf.catalog.keep(kept)
    await run(shelf, false)
    expect((await shelf.fileNames()).toSorted()).toEqual([hexOf(young), hexOf(kept.digest)].toSorted())
    expect(await shelf.catalog.blob(old)).toBeUndefined()
  })

  it('that nobody else has get their record again where they have lost it', async () => {
    const shelf = await opened()
    const pushed = keepingOf(randomBytes(size), { proof: 'pushed' })
    await shelf.catalog.keep(pushed)
    await shelf.store.batch([{ delete: keys.blob(pushed.digest) }])
    await utimes(shelf.pathOf(pushed.digest), 1, 1)
    await run(await openShelfAgain(shelf), false)
    expect(await shelf.fileNames()).toEqual([hexOf(pushed.digest)])
  })

  it('that nobody else has are set aside where their bytes are not what their name says', async () => {
    const shelf = await opened()
    const pushed = keepingOf(randomBytes(size), { proof: 'pushed' })
    await shelf.catalog.keep(pushed)
    await shelf.store.batch([{ delete: keys.blob(pushed.digest) }])
    await chmod(shelf.pathOf(pushed.digest), 0o600)
    await writeFile(shelf.pathOf(pushed.digest), randomBytes(size))
    await run(await openShelfAgain(shelf), false)
    expect(await shelf.fileNames()).toEqual([expect.stringMatching(`^sha256-${hexOf(pushed.digest)}[.]`)])
  })
})

/** As a start does, so that nothing is remembered. */
async function openShelfAgain(shelf: Shelf): Promise<Shelf> {
  await shelf.catalog.close()
  return openShelf({ directory: shelf.directory })
}

describe('files under a new catalog', () => {
  it('are re-hashed and kept without links, with the sources that stand beside them', async () => {
    const shelf = await openShelf()
    const digest = await orphan(shelf, startedAt - 1000)
    const unknown = await orphan(shelf, startedAt - 1000)
    await shelf.sources.append(digest, source)
    await run(shelf, true)
    expect(await shelf.catalog.blob(digest)).toMatchObject({
      size,
      place: 'file',
      verifiedAt: startedAt,
      sources: [source],
    })
    expect(await shelf.catalog.blob(unknown)).toMatchObject({ sources: [] })
    const links = []
    for await (const link of shelf.catalog.links()) links.push(link)
    expect(links).toEqual([])
    expect(shelf.counted()).toBe(2 * size)
    expect(await shelf.sources.read()).toEqual(new Map([[digest, [source]]]))
  })

  it('go where their bytes are not what their name says', async () => {
    const shelf = await openShelf()
    const digest = await orphan(shelf, startedAt - 1000)
    await chmod(shelf.pathOf(digest), 0o600)
    await writeFile(shelf.pathOf(digest), randomBytes(size))
    await run(shelf, true)
    expect(await shelf.fileNames()).toEqual([])
    expect(shelf.counted()).toBe(0)
  })

  it('that cannot be read stay, keep nobody else from being found, and are tried again at the next start', async () => {
    let unreadable: Digest | undefined
    const shelf = await openShelf({
      filesFrom: (files) => ({
        ...files,
        open: (digest) =>
          digest === unreadable ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) : files.open(digest),
      }),
    })
    unreadable = await orphan(shelf, startedAt - 1000)
    const good = await orphan(shelf, startedAt - 1000)
    await run(shelf, true)
    expect(await shelf.catalog.blob(good)).toBeDefined()
    expect((await shelf.fileNames()).length).toBe(2)
    const bad = unreadable
    unreadable = undefined
    await run(shelf, false)
    expect(await shelf.catalog.blob(bad)).toBeDefined()
  })

  it('are not swept by the next start where this one ended before it had seen them all', async () => {
    const shelf = await openShelf()
    const digest = await orphan(shelf, startedAt - 1000)
    await run(shelf, true, AbortSignal.abort())
    expect(await shelf.fileNames()).toEqual([hexOf(digest)])
    await run(shelf, false)
    expect(await shelf.catalog.blob(digest)).toBeDefined()
  })
})

describe('the file of sources after a start', () => {
  it('says of each file what its record says, and nothing of what has gone', async () => {
    const shelf = await opened()
    const kept = keepingOf(randomBytes(size))
    await shelf.catalog.keep(kept)
    const gone = keepingOf(randomBytes(size))
    await shelf.catalog.keep(gone)
    await shelf.catalog.forget(gone.digest)
    await run(shelf, false)
    expect(await shelf.sources.read()).toEqual(new Map([[kept.digest, [source]]]))
  })

  it('loses nothing that was kept while the files were looked at', async () => {
    const listing = Promise.withResolvers<void>()
    const listed = Promise.withResolvers<void>()
    let slow = false
    const shelf = await opened({
      filesFrom: (files) => ({
        ...files,
        async *list() {
          yield* files.list()
          listed.resolve()
          if (slow) await listing.promise
        },
      }),
    })
    slow = true
    const running = run(shelf, false)
    await listed.promise
    const kept = keepingOf(randomBytes(size))
    await shelf.catalog.keep(kept)
    listing.resolve()
    await running
    expect(await shelf.sources.read()).toEqual(new Map([[kept.digest, [source]]]))
  })
})
