/** Makes room by forgetting what was used least recently. */
import type { Catalog } from '../catalog/catalog.ts'
import type { Digest } from '../oci/digest.ts'
import { evictionOrder, type Snapshot } from './eviction-order.ts'
import { pack } from './numbers.ts'

export interface EvictionOptions {
  catalog: Catalog
  /** Nothing is evicted while it is not allowed: in offline mode what goes is lost. */
  allowed: boolean
  log: (message: string, facts: Record<string, unknown>) => void
}

/** Frees at least so many bytes if what may go is enough, and settles with what it freed. */
export type Evict = (bytes: number) => Promise<number>

export function createEviction(options: EvictionOptions): Evict {
  const { catalog, log } = options
  let running: Promise<unknown> = Promise.resolve()

  async function evict(bytes: number): Promise<number> {
    const seen = await snapshot(catalog)
    let freed = 0
    let evicted = 0
    for (const number of evictionOrder(seen)) {
      const digest = seen.digests[number]
      if (freed >= bytes) break
      if (digest === undefined || catalog.isHeld(digest)) continue
      freed += await catalog.forget(digest)
      evicted += 1
    }
    log('evicted', { wanted: bytes, freed, evicted })
    return freed
  }

  return async (bytes) => {
    if (!options.allowed) return 0
    const mine = running.then(() => evict(bytes))
    running = mine.catch(() => {})
    return mine
  }
}

/** Bytes that no eviction may free: what was pushed or imported, and what pins reach. */
export async function unevictable(catalog: Catalog): Promise<number> {
  const seen = await snapshot(catalog)
  const mayGo = new Set(evictionOrder(seen))
  return seen.sizes.reduce((sum, size, number) => (mayGo.has(number) ? sum : sum + size), 0)
}

interface Seen extends Snapshot {
  /** By number: first all that is kept, then what links name besides. */
  digests: readonly Digest[]
  /** Bytes of what is kept, by number. */
  sizes: readonly number[]
}

/** Takes memory for what is kept, and not for what its manifests name: anybody may push one that names thousands which nobody has. */
async function snapshot(catalog: Catalog): Promise<Seen> {
  const lastUses = await catalog.uses.all()
  const { digests, numberOf, give } = createNumbers()
  const uses: number[] = []
  const sizes: number[] = []
  for await (const [digest, { size, keptAt }] of catalog.blobs()) {
    give(digest)
    uses.push(lastUses.get(digest) ?? keptAt)
    sizes.push(size)
  }
  const linked = new Set<number>()
  const irreplaceable = new Set<number>()
  for await (const link of catalog.links()) {
    const number = give(link.digest)
    linked.add(number)
    if (link.proof !== 'fetched') irreplaceable.add(number)
  }
  const pinned = Array.from(await catalog.pins(), give)
  const edges = new Map<number, Uint8Array>()
  for await (const [digest, { children }] of catalog.allEdges()) {
    const number = numberOf(digest)
    if (number !== undefined) edges.set(number, pack(children.flatMap((child) => numberOf(child.digest) ?? [])))
  }
  return { digests, uses, sizes, edges, linked, irreplaceable, pinned }
}

/** Gives each digest that it meets the next number. */
function createNumbers() {
  const digests: Digest[] = []
  const numbers = new Map<Digest, number>()
  const numberOf = (digest: Digest) => numbers.get(digest)
  const give = (digest: Digest) => {
    const known = numberOf(digest)
    if (known !== undefined) return known
    numbers.set(digest, digests.length)
    return digests.push(digest) - 1
  }
  return { digests, numberOf, give }
}
