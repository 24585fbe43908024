import { describe, expect, it } from 'vitest'
import type { BlobRecord, EdgesRecord } from '../../src/catalog/records.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { evictionOrder } from '../../src/upkeep/eviction-order.ts'

interface Case {
  what: string
  /** Name -> last use; `-` in front of a name: never used, kept then. */
  blobs: Record<string, number>
  edges?: Record<string, string[]>
  unlinked?: string[]
  irreplaceable?: string[]
  pinned?: string[]
  order: string[]
}

const cases: Case[] = [
  { what: 'what was used longest ago goes first', blobs: { a: 3, b: 1, c: 2 }, order: ['b', 'c', 'a'] },
  { what: 'what was never used is as old as its keeping', blobs: { a: 3, '-b': 2, c: 1 }, order: ['c', 'b', 'a'] },
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

const digest = (name: string): Digest => digestOf(Buffer.from(name))

function orderOf({ blobs, edges = {}, unlinked = [], irreplaceable = [], pinned = [] }: Case): string[] {
  const names = Object.keys(blobs).map((name) => name.replace('-', ''))
  const record = (keptAt: number): BlobRecord => ({ size: 1, place: 'inline', verifiedAt: 0, keptAt, sources: [] })
  const edgesOf = (children: string[]): EdgesRecord => ({
    kind: 'image',
    children: children.map((child) => ({ digest: digest(child), size: 1, needed: true, runnable: true })),
  })
  const order = evictionOrder({
    blobs: new Map(
      Object.entries(blobs).map(([name, at]) => [
        digest(name.replace('-', '')),
        record(name.startsWith('-') ? at : 100),
      ]),
    ),
    edges: new Map(Object.entries(edges).map(([name, children]) => [digest(name), edgesOf(children)])),
    linked: new Set(names.filter((name) => !unlinked.includes(name)).map(digest)),
    irreplaceable: new Set(irreplaceable.map(digest)),
    pinned: new Set(pinned.map(digest)),
    uses: new Map(Object.entries(blobs).flatMap(([name, at]) => (name.startsWith('-') ? [] : [[digest(name), at]]))),
  })
  return order.map((found) => names.find((name) => digest(name) === found) ?? 'unknown')
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
