/** Makes room by forgetting what was used least recently. */
import type { Catalog } from '../catalog/catalog.ts'
import type { BlobRecord, EdgesRecord } from '../catalog/records.ts'
import type { Digest } from '../oci/digest.ts'
import { evictionOrder, type Snapshot } from './eviction-order.ts'

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
    const order = evictionOrder(await snapshot(catalog))
    let freed = 0
    let evicted = 0
    for (const digest of order) {
      if (freed >= bytes) break
      if (catalog.isHeld(digest)) continue
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

async function snapshot(catalog: Catalog): Promise<Snapshot> {
  const blobs = new Map<Digest, BlobRecord>()
  const edges = new Map<Digest, EdgesRecord>()
  const linked = new Set<Digest>()
  const irreplaceable = new Set<Digest>()
  for await (const [digest, record] of catalog.blobs()) blobs.set(digest, record)
  for await (const [digest, record] of catalog.allEdges()) edges.set(digest, record)
  for await (const link of catalog.links()) {
    linked.add(link.digest)
    if (link.proof !== 'fetched') irreplaceable.add(link.digest)
  }
  return { blobs, edges, linked, irreplaceable, pinned: await catalog.pins(), uses: await catalog.uses.all() }
}
