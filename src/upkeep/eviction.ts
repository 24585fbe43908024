/**
 * Makes room: the least recently used closures go first. A use of a manifest is a use of all it reaches, or the base layers that
 * every client already owns would go while their images stay.
 */
import type { Catalog } from '../catalog/catalog.ts'
import type { BlobRecord, EdgesRecord } from '../catalog/records.ts'
import type { Digest } from '../oci/digest.ts'

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

export interface Snapshot {
  blobs: Map<Digest, BlobRecord>
  edges: Map<Digest, EdgesRecord>
  /** Digests that a link of any proof names, and those that a link which cannot be fetched again names. */
  linked: Set<Digest>
  irreplaceable: Set<Digest>
  pinned: Set<Digest>
  uses: Map<string, number>
}

/** Digests in the order in which they may go: without a link first, then by last use; a manifest before what it alone keeps young. */
export function evictionOrder({ blobs, edges, linked, irreplaceable, pinned, uses }: Snapshot): Digest[] {
  const lastUse = new Map<Digest, number>()
  for (const [digest, record] of blobs) lastUse.set(digest, uses.get(digest) ?? record.keptAt)
  for (const [digest, use] of [...lastUse]) if (edges.has(digest)) raise(digest, use, edges, lastUse, new Set())
  const safe = new Set(irreplaceable)
  for (const digest of pinned) reach(digest, edges, safe)
  const candidates = [...lastUse].filter(([digest]) => !safe.has(digest) && blobs.has(digest))
  const rank = ([digest, use]: [Digest, number]) => [linked.has(digest) ? 1 : 0, use, edges.has(digest) ? 0 : 1] as const
  return candidates
    .map((candidate) => ({ digest: candidate[0], rank: rank(candidate) }))
    .sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1] || a.rank[2] - b.rank[2])
    .map(({ digest }) => digest)
}

function raise(
  digest: Digest,
  use: number,
  edges: Map<Digest, EdgesRecord>,
  lastUse: Map<Digest, number>,
  seen: Set<Digest>,
): void {
  if (seen.has(digest)) return
  seen.add(digest)
  for (const child of edges.get(digest)?.children ?? []) {
    if ((lastUse.get(child.digest) ?? Number.POSITIVE_INFINITY) < use) lastUse.set(child.digest, use)
    raise(child.digest, use, edges, lastUse, seen)
  }
}

function reach(digest: Digest, edges: Map<Digest, EdgesRecord>, reached: Set<Digest>): void {
  if (reached.has(digest)) return
  reached.add(digest)
  for (const child of edges.get(digest)?.children ?? []) reach(child.digest, edges, reached)
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
