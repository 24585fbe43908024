import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readAll } from '../../src/oci/byte-source.ts'
import type { EdgesRecord } from '../../src/catalog/records.ts'
import type { Digest } from '../../src/oci/digest.ts'
import { createEviction } from '../../src/upkeep/eviction.ts'
import { dropUnlinked } from '../../src/upkeep/unlinked.ts'
import { heldMemory } from '../support/memory.ts'
import { keepingOf, linkTo, openShelf, repository, type Shelf } from '../catalog/shelf.ts'

const size = 20 * 1024
const day = 24 * 60 * 60_000

async function keep(shelf: Shelf, proof: 'fetched' | 'imported' = 'fetched'): Promise<Digest> {
  const keeping = keepingOf(randomBytes(size), { proof })
  await shelf.catalog.keep(keeping)
  shelf.clock.now += 1
  return keeping.digest
}

async function keepManifest(
  shelf: Shelf,
  kind: 'index' | 'image',
  children: Digest[],
  proof: 'fetched' | 'imported' = 'fetched',
): Promise<Digest> {
  const keeping = keepingOf(randomBytes(size), { proof })
  const edges = { kind, children: children.map((digest) => ({ digest, size, needed: true, runnable: true })) }
  await shelf.catalog.keep({ ...keeping, edges })
  shelf.clock.now += 1
  return keeping.digest
}

function evictionOf(shelf: Shelf, allowed = true) {
  return createEviction({ catalog: shelf.catalog, allowed, log: () => {} })
}

/** Bytes that an eviction holds at most while it reads what the manifests reach. */
async function mostHeld({ catalog }: Shelf, manifests: Digest[], namedBy: () => Digest[]): Promise<number> {
  let before = 0
  let most = 0
  async function* allEdges(): AsyncGenerator<[Digest, EdgesRecord]> {
    before = heldMemory()
    for (const [index, digest] of manifests.entries()) {
      const children = namedBy().map((child) => ({ digest: child, size, needed: true, runnable: true }))
      yield [digest, { kind: 'index', children }]
      if ((index + 1) % (manifests.length / 4) === 0) most = Math.max(most, heldMemory() - before)
    }
  }
  expect(await createEviction({ catalog: { ...catalog, allEdges }, allowed: true, log: () => {} })(1)).toBe(size)
  return most
}

async function keptOf(shelf: Shelf, digests: Digest[]): Promise<boolean[]> {
  return Promise.all(digests.map(async (digest) => (await shelf.catalog.blob(digest)) !== undefined))
}

describe('eviction', () => {
  it('frees what is asked for and no more, the least recently used first', async () => {
    const shelf = await openShelf()
    const digests = [await keep(shelf), await keep(shelf), await keep(shelf)]
    shelf.catalog.uses.touch(digests[0] as Digest)
    expect(await evictionOf(shelf)(size + 1)).toBe(2 * size)
    expect(await keptOf(shelf, digests)).toEqual([true, false, false])
    expect(shelf.counted()).toBe(size)
  })

  it('leaves alone what somebody reads, what is pinned, and what was imported', async () => {
    const shelf = await openShelf()
    const [read, pinned, free] = [await keep(shelf), await keep(shelf), await keep(shelf)]
    const imported = await keep(shelf, 'imported')
    const reader = await shelf.catalog.open(read)
    await shelf.catalog.pin(repository('app'), pinned)
    expect(await evictionOf(shelf)(10 * size)).toBe(size)
    expect(await keptOf(shelf, [read, pinned, free, imported])).toEqual([true, true, false, true])
    if (!reader) throw new Error('no reader')
    expect((await readAll(reader)).length).toBe(size)
    await shelf.catalog.unpin(repository('app'), pinned)
    expect(await evictionOf(shelf)(10 * size)).toBe(2 * size)
  })

  it('asked for twice at once frees twice as much', async () => {
    const shelf = await openShelf()
    const digests = [await keep(shelf), await keep(shelf), await keep(shelf)]
    const evict = evictionOf(shelf)
    expect(await Promise.all([evict(size), evict(size)])).toEqual([size, size])
    expect(await keptOf(shelf, digests)).toEqual([false, false, true])
  })

  it('takes what was never used to be as old as its keeping', async () => {
    const shelf = await openShelf()
    const older = await keep(shelf)
    const bytes = randomBytes(size)
    const { digest: unused } = keepingOf(bytes)
    const { now } = shelf.clock
    await shelf.files.adopt(await shelf.spool(bytes), { digest: unused, size })
    await shelf.catalog.adoptFile(unused, { size, place: 'file', verifiedAt: now, keptAt: now, sources: [] })
    await shelf.catalog.addLink(linkTo(unused))
    shelf.clock.now += 1
    const younger = await keep(shelf)
    const evict = evictionOf(shelf)
    expect(await evict(size)).toBe(size)
    expect(await keptOf(shelf, [older, unused, younger])).toEqual([false, true, true])
    expect(await evict(size)).toBe(size)
    expect(await keptOf(shelf, [older, unused, younger])).toEqual([false, false, true])
  })

  it('keeps what a pinned index reaches, through manifests and through one whose bytes are lost', async () => {
    const shelf = await openShelf()
    const layer = await keep(shelf)
    const image = await keepManifest(shelf, 'image', [layer])
    const lost = await keepManifest(shelf, 'image', [await keep(shelf)], 'imported')
    const index = await keepManifest(shelf, 'index', [image, lost, keepingOf(randomBytes(size)).digest])
    const free = await keep(shelf)
    await shelf.catalog.pin(repository('app'), index)
    await shelf.files.delete(lost)
    expect(await shelf.catalog.open(lost)).toBeUndefined()
    expect(await evictionOf(shelf)(100 * size)).toBe(size)
    expect(await keptOf(shelf, [layer, image, lost, index, free])).toEqual([true, true, false, true, false])
  })

  it('takes no memory for what is not kept, though manifests name it', async () => {
    const shelf = await openShelf()
    const manifests: Digest[] = []
    for (let index = 0; index < 100; index += 1) manifests.push(await keepManifest(shelf, 'index', []))
    const named = () => Array.from({ length: 4990 }, () => keepingOf(randomBytes(8)).digest)
    expect(await mostHeld(shelf, manifests, named)).toBeLessThan(4 * 1024 * 1024)
  })

  it('takes little more than a byte for each time that a manifest names what is kept', async () => {
    const shelf = await openShelf()
    const manifests: Digest[] = []
    for (let index = 0; index < 300; index += 1) manifests.push(await keepManifest(shelf, 'index', []))
    expect(await mostHeld(shelf, manifests, () => manifests)).toBeLessThan(1024 * 1024)
  })

  it('does nothing where it is not allowed', async () => {
    const shelf = await openShelf()
    const digest = await keep(shelf)
    expect(await evictionOf(shelf, false)(size)).toBe(0)
    expect(await keptOf(shelf, [digest])).toEqual([true])
  })
})

describe('content that no link names', () => {
  it('goes after 7 days, unless a link has come', async () => {
    const shelf = await openShelf()
    const linked = await keep(shelf)
    const bytes = [randomBytes(size), randomBytes(size)]
    const digests = bytes.map((one) => keepingOf(one).digest)
    for (const [index, digest] of digests.entries()) {
      await shelf.files.adopt(await shelf.spool(bytes[index] as Buffer), { digest, size })
      const { now } = shelf.clock
      await shelf.catalog.adoptFile(digest, { size, place: 'file', verifiedAt: now, keptAt: now, sources: [] })
    }
    const [proved, unproved] = digests as [Digest, Digest]
    await shelf.catalog.addLink(linkTo(proved))
    await dropUnlinked(shelf.catalog, shelf.clock.now + 7 * day - 1)
    expect(await keptOf(shelf, [linked, proved, unproved])).toEqual([true, true, true])
    await dropUnlinked(shelf.catalog, shelf.clock.now + 7 * day + 1)
    expect(await keptOf(shelf, [linked, proved, unproved])).toEqual([true, true, false])
    expect(shelf.counted()).toBe(2 * size)
  })
})
