import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { lookForHidden, lookForRoom } from '../../src/upkeep/look.ts'
import { keepingOf, openShelf, repository, type Shelf } from '../catalog/shelf.ts'

const size = 20 * 1024

async function lookAt(shelf: Shelf, { maxSize = 10 * size, used = shelf.counted() } = {}) {
  const told: unknown[] = []
  const look = {
    catalog: shelf.catalog,
    room: { used: () => used },
    maxSize,
    isCovered: (name: string) => name.startsWith('local/'),
    warn: (message: string, facts: Record<string, unknown>) => told.push([message.split(':')[0], facts]),
  }
  await lookForHidden(look)
  await lookForRoom(look)
  return told
}

async function push(shelf: Shelf, name: string): Promise<void> {
  await shelf.catalog.keep(keepingOf(randomBytes(size), { repository: repository(name, 'hosted'), proof: 'pushed' }))
}

test('hosted names that nothing covers are counted, and one is named; those of upstreams are not', async () => {
  const shelf = await openShelf()
  await shelf.catalog.keep(keepingOf(randomBytes(size), { repository: repository('team/app') }))
  await push(shelf, 'local/app')
  expect(await lookAt(shelf)).toEqual([])
  for (const name of ['team/app', 'team/app', 'team/other']) await push(shelf, name)
  expect(await lookAt(shelf)).toEqual([
    [
      'hosted content is kept under names that no pattern of "hosted" covers',
      { repositories: 2, oneOfThem: 'team/app' },
    ],
  ])
})

test('what cannot go is told where it alone is more than maxSize', async () => {
  const shelf = await openShelf()
  await push(shelf, 'local/app')
  await push(shelf, 'local/app')
  const fetched = keepingOf(randomBytes(size))
  await shelf.catalog.keep(fetched)
  const used = 3 * size
  expect(await lookAt(shelf, { used, maxSize: 2 * size })).toEqual([])
  const told = ['what cannot be evicted is more than maxSize', { bytes: 2 * size, maxSize: 2 * size - 1 }]
  expect(await lookAt(shelf, { used, maxSize: 2 * size - 1 })).toEqual([told])
  await shelf.catalog.pin(repository('app'), fetched.digest)
  expect(await lookAt(shelf, { used, maxSize: 2 * size })).toEqual([
    ['what cannot be evicted is more than maxSize', { bytes: 3 * size, maxSize: 2 * size }],
  ])
})
