/**
 * What may go, and in which order: the least recently used closures first. A use of a manifest is a use of all it reaches, or the
 * base layers that every client already owns would go while their images stay.
 */
import { unpack } from './numbers.ts'

/** What is kept, each digest a number, so that what manifests name takes little memory. */
export interface Snapshot {
  /** When each was last used, ms since the epoch, by its number: those up to here are kept, others are only linked. */
  uses: readonly number[]
  /** What each manifest reaches of all that has a number, packed. */
  edges: ReadonlyMap<number, Uint8Array>
  /** What a link of any proof names, and what a link that cannot be fetched again names. */
  linked: ReadonlySet<number>
  irreplaceable: ReadonlySet<number>
  pinned: readonly number[]
}

/** In the order in which they may go: without a link first, then by last use; a manifest before what it alone keeps young. */
export function evictionOrder({ uses, edges, linked, irreplaceable, pinned }: Snapshot): number[] {
  const lastUse = lastUses(uses, edges)
  const useOf = (number: number) => lastUse[number] ?? 0
  const reached = new Set(walk(pinned, edges, new Set()))
  return [...uses.keys()]
    .filter((number) => !irreplaceable.has(number) && !reached.has(number))
    .toSorted(
      (a, b) =>
        Number(linked.has(a)) - Number(linked.has(b)) ||
        useOf(a) - useOf(b) ||
        Number(edges.has(b)) - Number(edges.has(a)),
    )
}

/** From the youngest manifest on, each is as young as the first that reaches it; so none is walked twice. */
function lastUses(own: readonly number[], edges: Snapshot['edges']): number[] {
  const lastUse = [...own]
  const seen = new Set<number>()
  const useOf = (number: number) => own[number] ?? 0
  const manifests = [...edges.keys()].filter((number) => number < own.length)
  for (const manifest of manifests.toSorted((a, b) => useOf(b) - useOf(a))) {
    const use = useOf(manifest)
    for (const number of walk([manifest], edges, seen)) {
      const before = lastUse[number]
      if (before !== undefined && before < use) lastUse[number] = use
    }
  }
  return lastUse
}

/** All that the roots reach, themselves included, except what was seen before: a hostile upstream may chain as many as it likes. */
function walk(roots: Iterable<number>, edges: Snapshot['edges'], seen: Set<number>): number[] {
  const reached = [...roots].filter((number) => !seen.has(number))
  for (const number of reached) seen.add(number)
  for (const number of reached) {
    for (const child of unpack(edges.get(number) ?? nothing)) {
      if (seen.has(child)) continue
      seen.add(child)
      reached.push(child)
    }
  }
  return reached
}

const nothing = new Uint8Array()
