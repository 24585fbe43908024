import { describe, expect, it } from 'vitest'
import { evictionOrder } from '../../src/upkeep/eviction-order.ts'
import { pack } from '../../src/upkeep/numbers.ts'

interface Case {
  what: string
  /** Name -> last use. */
  blobs: Record<string, number>
  edges?: Record<string, string[]>
  unlinked?: string[]
  irreplaceable?: string[]
  pinned?: string[]
  order: string[]
}

const cases: Case[] = [
  { what: 'what was used longest ago goes first', blobs: { a: 3, b: 1, c: 2 }, order: ['b', 'c', 'a'] },
  {
    what: 'a use of a manifest is a use of all it reaches',
    blobs: { image: 9, config: 1, layer: 1, other: 5 },
    edges: { image: ['config', 'layer'] },
    order: ['other', 'image', 'config', 'layer'],
  },
  {
    what: 'a base layer is as young as the youngest image that stands on it',
    blobs: { old: 1, young: 9, base: 1, oldTop: 1, youngTop: 9 },
    edges: { old: ['base', 'oldTop'], young: ['base', 'youngTop'] },
    order: ['old', 'oldTop', 'young', 'base', 'youngTop'],
  },
  {
    what: 'an index keeps the layers of its images young',
    blobs: { index: 9, image: 1, layer: 1, other: 5 },
    edges: { index: ['image', 'absent'], image: ['layer'] },
    order: ['other', 'index', 'image', 'layer'],
  },
  {
    what: 'what no link names goes before anything else',
    blobs: { a: 1, b: 2, c: 9 },
    unlinked: ['c'],
    order: ['c', 'a', 'b'],
  },
  {
    what: 'what a pin reaches never goes',
    blobs: { index: 1, image: 1, layer: 1, other: 9 },
    edges: { index: ['image'], image: ['layer'] },
    pinned: ['index'],
    order: ['other'],
  },
  { what: 'what cannot be fetched again never goes', blobs: { a: 1, b: 2 }, irreplaceable: ['a'], order: ['b'] },
  {
    what: 'manifests that reach each other are no endless loop',
    blobs: { a: 1, b: 5 },
    edges: { a: ['b'], b: ['a'] },
    order: ['a', 'b'],
  },
]

function orderOf({ blobs, edges = {}, unlinked = [], irreplaceable = [], pinned = [] }: Case): string[] {
  const names = Object.keys(blobs)
  const numbers = new Map(names.map((name, number) => [name, number]))
  const numbersOf = (some: string[]) => some.flatMap((name) => numbers.get(name) ?? [])
  const order = evictionOrder({
    uses: Object.values(blobs),
    edges: new Map(
      Object.entries(edges).flatMap(([name, children]) =>
        numbersOf([name]).map((number) => [number, pack(numbersOf(children))]),
      ),
    ),
    linked: new Set(numbersOf(names.filter((name) => !unlinked.includes(name)))),
    irreplaceable: new Set(numbersOf(irreplaceable)),
    pinned: numbersOf(pinned),
  })
  return order.map((number) => names[number] ?? 'unknown')
}

describe('the order of eviction', () => {
  it.each(cases)('$what', (one) => {
    expect(orderOf(one)).toEqual(one.order)
  })

  it('copes with a chain of 20,000 manifests', () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `m${index}`)
    const blobs = Object.fromEntries(names.map((name, index) => [name, index]))
    const edges = Object.fromEntries(names.slice(0, -1).map((name, index) => [name, [`m${index + 1}`]]))
    expect(orderOf({ what: '', blobs: { ...blobs }, edges, pinned: ['m0'], order: [] })).toEqual([])
  })
})
