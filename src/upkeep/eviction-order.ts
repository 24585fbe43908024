/**
 * What may go, and in which order: the least recently used closures first. A use of a manifest is a use of all it reaches, or the
 * base layers that every client already owns would go while their images stay.
 */
import type { BlobRecord, EdgesRecord } from '../catalog/records.ts'
import type { Digest } from '../oci/digest.ts'

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
  const lastUse = lastUses(
    new Map([...blobs].map(([digest, record]) => [digest, uses.get(digest) ?? record.keptAt])),
    edges,
  )
  const safe = new Set([...irreplaceable, ...walk(pinned, edges, new Set())])
  const rank = ([digest, use]: [Digest, number]) =>
    [linked.has(digest) ? 1 : 0, use, edges.has(digest) ? 0 : 1] as const
  return [...lastUse]
    .filter(([digest]) => !safe.has(digest))
    .map((candidate) => ({ digest: candidate[0], rank: rank(candidate) }))
    .toSorted((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1] || a.rank[2] - b.rank[2])
    .map(({ digest }) => digest)
}

/** From the youngest manifest on, each digest is as young as the first that reaches it; so none is walked twice. */
function lastUses(own: Map<Digest, number>, edges: Map<Digest, EdgesRecord>): Map<Digest, number> {
  const lastUse = new Map(own)
  const seen = new Set<Digest>()
  const manifests = [...own].filter(([digest]) => edges.has(digest)).toSorted((a, b) => b[1] - a[1])
  for (const [manifest, use] of manifests) {
    for (const digest of walk([manifest], edges, seen)) {
      const before = lastUse.get(digest)
      if (before !== undefined && before < use) lastUse.set(digest, use)
    }
  }
  return lastUse
}

/** All that the roots reach, themselves included, except what was seen before: a hostile upstream may chain as many as it likes. */
function walk(roots: Iterable<Digest>, edges: Map<Digest, EdgesRecord>, seen: Set<Digest>): Digest[] {
  const reached = [...roots].filter((digest) => !seen.has(digest))
  for (const digest of reached) seen.add(digest)
  for (const digest of reached) {
    for (const child of edges.get(digest)?.children ?? []) {
      if (seen.has(child.digest)) continue
      seen.add(child.digest)
      reached.push(child.digest)
    }
  }
  return reached
}
