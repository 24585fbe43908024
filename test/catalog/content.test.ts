import { randomBytes } from 'node:crypto'
import { chmod, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRoom } from '../../src/catalog/room.ts'
import { readAll } from '../../src/oci/byte-source.ts'
import { digestOf, hexOf } from '../../src/oci/digest.ts'
import { parseTag } from '../../src/oci/name.ts'
import { keepingOf, linkTo, openShelf, repository, type Shelf } from './shelf.ts'

const KiB = 1024
const app = repository('app')
const imageType = 'application/vnd.oci.image.manifest.v1+json'

async function bytesOf(shelf: Shelf, digest: ReturnType<typeof digestOf>) {
  const source = await shelf.catalog.open(digest)
  return source && Buffer.from(await readAll(source))
}

async function keepFile(shelf: Shelf, bytes: Buffer, name = 'app') {
  const keeping = keepingOf(bytes, { repository: repository(name) })
  await shelf.catalog.keep({ ...keeping, bytes: { spool: await shelf.spool(bytes), size: bytes.length } })
  return keeping.digest
}

describe('keeping', () => {
  it('puts at most 16 KiB into the catalog and a byte more into a file', async () => {
    const shelf = await openShelf()
    const small = randomBytes(16 * KiB)
    const large = randomBytes(16 * KiB + 1)
    const inline = await keepFile(shelf, small)
    const file = await keepFile(shelf, large)
    expect(await shelf.catalog.blob(inline)).toMatchObject({ place: 'inline', size: 16 * KiB })
    expect(await shelf.catalog.blob(file)).toMatchObject({ place: 'file', size: 16 * KiB + 1 })
    expect(await shelf.fileNames()).toEqual([hexOf(file)])
    expect(await bytesOf(shelf, inline)).toEqual(small)
    expect(await bytesOf(shelf, file)).toEqual(large)
    expect(shelf.counted()).toBe(32 * KiB + 1)
  })

  it('the same bytes for a second repository keeps one copy, counted once, and both links', async () => {
    const shelf = await openShelf()
    const bytes = randomBytes(20 * KiB)
    const digest = await keepFile(shelf, bytes, 'one')
    await keepFile(shelf, bytes, 'two')
    expect(shelf.counted()).toBe(bytes.length)
    expect(await shelf.fileNames()).toEqual([hexOf(digest)])
    expect(await shelf.catalog.link(repository('one'), 'blob', digest)).toBeDefined()
    expect(await shelf.catalog.link(repository('two'), 'blob', digest)).toBeDefined()
    expect(await shelf.catalog.link(repository('three'), 'blob', digest)).toBeUndefined()
  })

  it('many times at once ends with one copy, counted once', async () => {
    const shelf = await openShelf()
    const bytes = randomBytes(20 * KiB)
    const names = Array.from({ length: 12 }, (_, index) => `name${index}`)
    const [digest] = await Promise.all(names.map((name) => keepFile(shelf, bytes, name)))
    expect(shelf.counted()).toBe(bytes.length)
    if (!digest) throw new Error('none')
    expect(await bytesOf(shelf, digest)).toEqual(bytes)
  })

  it('replaces bytes that have gone from under their record, without counting them twice', async () => {
    const shelf = await openShelf()
    const bytes = randomBytes(20 * KiB)
    const digest = await keepFile(shelf, bytes)
    await rm(shelf.pathOf(digest))
    await keepFile(shelf, bytes)
    expect(await bytesOf(shelf, digest)).toEqual(bytes)
    expect(shelf.counted()).toBe(bytes.length)
  })

  it('leaves nothing behind where the batch fails: no record, no file, no room taken', async () => {
    let broken = false
    const shelf = await openShelf({
      storeFrom: (store) => ({
        ...store,
        batch: (operations) => (broken ? Promise.reject(new Error('disk full')) : store.batch(operations)),
      }),
    })
    const room = createRoom({ maxSize: 1024 ** 2, folder: shelf.directory, minFree: 0, evict: async () => 0 })
    const bytes = randomBytes(20 * KiB)
    const reservation = await room.reserve(bytes.length)
    broken = true
    await expect(shelf.catalog.keep({ ...keepingOf(bytes), reservation })).rejects.toThrow('disk full')
    broken = false
    reservation?.release()
    expect(room.used()).toBe(0)
    expect(await shelf.catalog.blob(digestOf(bytes))).toBeUndefined()
    expect(await shelf.fileNames()).toEqual([])
  })

  it('turns a reservation into content in one step, and gives back what is here already', async () => {
    const shelf = await openShelf()
    const room = createRoom({ maxSize: 1024 ** 2, folder: shelf.directory, minFree: 0, evict: async () => 0 })
    const bytes = randomBytes(20 * KiB)
    await shelf.catalog.keep({ ...keepingOf(bytes), reservation: await room.reserve(bytes.length) })
    expect(room.used()).toBe(bytes.length)
    await shelf.catalog.keep({ ...keepingOf(bytes), reservation: await room.reserve(bytes.length) })
    expect(room.used()).toBe(bytes.length)
    expect(shelf.counted()).toBe(0)
  })

  it('writes a tag with the manifest that it names', async () => {
    const shelf = await openShelf()
    const tag = parseTag('1.0')
    if (!tag) throw new Error('no tag')
    const keeping = keepingOf(Buffer.from('{}'), { kind: 'manifest' })
    const record = { digest: keeping.digest, checkedAt: 1, changedAt: 1 }
    await shelf.catalog.keep({ ...keeping, tags: [{ tag, record }] })
    expect(await shelf.catalog.tag(app, tag)).toEqual(record)
  })
})

describe('a large manifest on its way into the catalog', () => {
  it('is not swept as a partial that nobody uses', async () => {
    const shelf = await openShelf({
      filesFrom: (files) => ({
        ...files,
        async adopt(spool, blob) {
          await shelf.spools.sweep(0)
          await files.adopt(spool, blob)
        },
      }),
    })
    const bytes = randomBytes(100 * KiB)
    await shelf.catalog.keep(keepingOf(bytes))
    expect(await bytesOf(shelf, digestOf(bytes))).toEqual(bytes)
    await expect(stat(join(shelf.directory, 'spool', 'x'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('opening', () => {
  it('bytes whose file has gone, or has another size, is a miss that drops the record and gives the room back', async () => {
    const shelf = await openShelf()
    const gone = await keepFile(shelf, randomBytes(20 * KiB))
    const short = await keepFile(shelf, randomBytes(30 * KiB))
    await rm(shelf.pathOf(gone))
    await chmod(shelf.pathOf(short), 0o600)
    await truncate(shelf.pathOf(short), 5)
    expect(await shelf.catalog.open(gone)).toBeUndefined()
    expect(await shelf.catalog.open(short)).toBeUndefined()
    expect(await shelf.catalog.blob(gone)).toBeUndefined()
    expect(await shelf.catalog.link(app, 'blob', short)).toBeUndefined()
    expect(shelf.counted()).toBe(0)
    expect(await shelf.fileNames()).toEqual([])
  })

  it('a file that the disk cannot give is a miss; one that may not be read is an error', async () => {
    let code = 'EIO'
    const shelf = await openShelf({
      filesFrom: (files) => ({
        ...files,
        open: (digest) => (code ? Promise.reject(Object.assign(new Error(code), { code })) : files.open(digest)),
      }),
    })
    code = ''
    const digest = await keepFile(shelf, randomBytes(20 * KiB))
    code = 'EMFILE'
    await expect(shelf.catalog.open(digest)).rejects.toThrow('EMFILE')
    expect(await shelf.catalog.blob(digest)).toBeDefined()
    code = 'EIO'
    expect(await shelf.catalog.open(digest)).toBeUndefined()
    expect(await shelf.catalog.blob(digest)).toBeUndefined()
  })

  it('bytes that come back while it looks gets them', async () => {
    const missed = Promise.withResolvers<void>()
    const back = Promise.withResolvers<void>()
    let isGone = false
    const shelf = await openShelf({
      filesFrom: (files) => ({
        ...files,
        async open(digest) {
          if (!isGone) return files.open(digest)
          isGone = false
          missed.resolve()
          await back.promise
          return undefined
        },
      }),
    })
    const bytes = randomBytes(20 * KiB)
    const digest = await keepFile(shelf, bytes)
    isGone = true
    const opening = bytesOf(shelf, digest)
    await missed.promise
    await keepFile(shelf, bytes)
    back.resolve()
    expect(await opening).toEqual(bytes)
  })

  it('inline bytes that do not match their digest is a miss', async () => {
    const shelf = await openShelf()
    const keeping = keepingOf(Buffer.from('some bytes'))
    await shelf.catalog.keep(keeping)
    await shelf.store.batch([{ put: `inline ${keeping.digest}`, value: Buffer.from('same bytes') }])
    expect(await shelf.catalog.open(keeping.digest)).toBeUndefined()
  })

  it('holds the bytes until the reader closes, however often it does', async () => {
    const shelf = await openShelf()
    const digest = await keepFile(shelf, randomBytes(20 * KiB))
    const one = await shelf.catalog.open(digest)
    const two = await shelf.catalog.open(digest)
    await one?.close()
    await one?.close()
    expect(shelf.catalog.isHeld(digest)).toBe(true)
    await two?.close()
    expect(shelf.catalog.isHeld(digest)).toBe(false)
  })
})

describe('forgetting', () => {
  it('takes record, links, edges, use and file; an open reader keeps its bytes', async () => {
    const shelf = await openShelf()
    const bytes = randomBytes(20 * KiB)
    const digest = await keepFile(shelf, bytes)
    await shelf.catalog.addLink(linkTo(digest, { repository: repository('two') }))
    const reader = await shelf.catalog.open(digest)
    expect(await shelf.catalog.forget(digest)).toBe(bytes.length)
    expect(await shelf.catalog.forget(digest)).toBe(0)
    if (!reader) throw new Error('no reader')
    expect(Buffer.from(await readAll(reader))).toEqual(bytes)
    await shelf.catalog.uses.flush()
    const left: string[] = []
    for await (const [key] of shelf.store.scan('')) left.push(key)
    expect(left).toEqual([])
    expect(shelf.counted()).toBe(0)
  })

  it('damaged bytes leaves those alone that have taken their place', async () => {
    const shelf = await openShelf()
    const bytes = randomBytes(20 * KiB)
    const digest = await keepFile(shelf, bytes)
    const seen = await shelf.catalog.blob(digest)
    if (!seen) throw new Error('not kept')
    await shelf.catalog.forgetDamaged(digest, seen)
    expect(await shelf.catalog.blob(digest)).toBeUndefined()
    shelf.clock.now += 1000
    await keepFile(shelf, bytes)
    await shelf.catalog.forgetDamaged(digest, seen)
    expect(await bytesOf(shelf, digest)).toEqual(bytes)
  })

  it('what no link names leaves what one names', async () => {
    const shelf = await openShelf()
    const digest = await keepFile(shelf, randomBytes(20 * KiB))
    await shelf.catalog.forgetUnlinked(digest)
    expect(await shelf.catalog.blob(digest)).toBeDefined()
  })

  it('and keeping at once never leaves a record without its bytes', async () => {
    const shelf = await openShelf()
    const bytes = randomBytes(20 * KiB)
    const digest = digestOf(bytes)
    for (let round = 0; round < 20; round += 1) {
      await Promise.all([
        keepFile(shelf, bytes),
        shelf.catalog.forget(digest),
        keepFile(shelf, bytes),
        shelf.catalog.forget(digest),
      ])
      const isKept = (await shelf.catalog.blob(digest)) !== undefined
      expect(await bytesOf(shelf, digest)).toEqual(isKept ? bytes : undefined)
      expect(shelf.counted()).toBe(isKept ? bytes.length : 0)
    }
  })
})

describe('a link', () => {
  it('to bytes that are not kept is refused', async () => {
    const shelf = await openShelf()
    expect(await shelf.catalog.addLink(linkTo(digestOf(Buffer.from('x'))))).toBe(false)
  })

  it('of one kind does not make the other kind readable', async () => {
    const shelf = await openShelf()
    const keeping = keepingOf(Buffer.from('{}'))
    await shelf.catalog.keep(keeping)
    expect(await shelf.catalog.manifest(app, keeping.digest)).toBeUndefined()
    await shelf.catalog.keep(keepingOf(Buffer.from('{}'), { kind: 'manifest', mediaType: imageType }))
    expect(await shelf.catalog.manifest(app, keeping.digest)).toMatchObject({ link: { mediaType: imageType } })
  })
})

describe('a manifest in memory', () => {
  it('goes with what is kept', async () => {
    const shelf = await openShelf()
    const keeping = keepingOf(Buffer.from('{}'), { kind: 'manifest' })
    await shelf.catalog.keep(keeping)
    expect(await shelf.catalog.manifest(app, keeping.digest)).toBeDefined()
    await shelf.catalog.forget(keeping.digest)
    expect(await shelf.catalog.manifest(app, keeping.digest)).toBeUndefined()
  })

  it('is not remembered by a reading that was overtaken by its deletion', async () => {
    const reading = Promise.withResolvers<void>()
    const deleted = Promise.withResolvers<void>()
    let slow = false
    const shelf = await openShelf({
      storeFrom: (store) => ({
        ...store,
        async get(key) {
          const value = await store.get(key)
          if (!slow || !key.startsWith('inline ')) return value
          reading.resolve()
          await deleted.promise
          return value
        },
      }),
    })
    const keeping = keepingOf(Buffer.from('{}'), { kind: 'manifest' })
    await shelf.catalog.keep(keeping)
    slow = true
    const overtaken = shelf.catalog.manifest(app, keeping.digest)
    await reading.promise
    await shelf.catalog.forget(keeping.digest)
    slow = false
    deleted.resolve()
    expect(await overtaken).toBeDefined()
    expect(await shelf.catalog.manifest(app, keeping.digest)).toBeUndefined()
  })

  it('follows its link: a newer proof replaces the older one', async () => {
    const shelf = await openShelf()
    const bytes = Buffer.from('{}')
    await shelf.catalog.keep(keepingOf(bytes, { kind: 'manifest', credential: 'config:me' }))
    expect((await shelf.catalog.manifest(app, digestOf(bytes)))?.link.credential).toBe('config:me')
    await shelf.catalog.keep(keepingOf(bytes, { kind: 'manifest', credential: 'anonymous' }))
    expect((await shelf.catalog.manifest(app, digestOf(bytes)))?.link.credential).toBe('anonymous')
    await shelf.catalog.addLink(linkTo(digestOf(bytes), { kind: 'manifest', credential: 'config:you' }))
    expect((await shelf.catalog.manifest(app, digestOf(bytes)))?.link.credential).toBe('config:you')
  })

  it('that has rotted on disk is a miss, and said so', async () => {
    const shelf = await openShelf()
    const bytes = randomBytes(20 * KiB)
    const keeping = keepingOf(bytes, { kind: 'manifest' })
    await shelf.catalog.keep(keeping)
    await chmod(shelf.pathOf(keeping.digest), 0o600)
    await writeFile(shelf.pathOf(keeping.digest), randomBytes(20 * KiB))
    expect(await shelf.catalog.manifest(app, keeping.digest)).toBeUndefined()
    expect(await shelf.catalog.blob(keeping.digest)).toBeUndefined()
    expect(shelf.warnings.join()).toContain(keeping.digest)
  })
})

describe('a file that outlived its record', () => {
  it('gets one again, counted once, and is never swept then', async () => {
    const shelf = await openShelf()
    const bytes = randomBytes(20 * KiB)
    const digest = digestOf(bytes)
    await shelf.files.adopt(await shelf.spool(bytes), { digest, size: bytes.length })
    const record = { size: bytes.length, place: 'file', verifiedAt: 1, keptAt: 1, sources: [] } as const
    await Promise.all([
      shelf.catalog.adoptFile(digest, { ...record, sources: [] }),
      shelf.catalog.adoptFile(digest, { ...record, sources: [] }),
    ])
    await shelf.catalog.sweepFile(digest)
    expect(await bytesOf(shelf, digest)).toEqual(bytes)
    expect(shelf.counted()).toBe(bytes.length)
    expect(await shelf.catalog.link(app, 'blob', digest)).toBeUndefined()
  })
})

describe('where bytes came from', () => {
  it('stands beside the files once a source, and not for what is inline', async () => {
    const shelf = await openShelf()
    const bytes = randomBytes(20 * KiB)
    for (const name of ['one', 'two', 'three']) await keepFile(shelf, bytes, name)
    await shelf.catalog.keep(keepingOf(bytes, { repository: repository('app', 'other.test') }))
    await shelf.catalog.keep(keepingOf(Buffer.from('small')))
    expect(await shelf.sources.read()).toEqual(
      new Map([
        [
          digestOf(bytes),
          [
            { upstream: 'upstream.test', credential: 'anonymous' },
            { upstream: 'other.test', credential: 'anonymous' },
          ],
        ],
      ]),
    )
    expect((await stat(join(shelf.directory, 'sources'))).mode & 0o777).toBe(0o600)
  })
})
