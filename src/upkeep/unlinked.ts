/** Content that no link names: files that outlived a lost catalog, and that no upstream has proved since. */
import type { Catalog } from '../catalog/catalog.ts'
import type { Digest } from '../oci/digest.ts'

/** ms that content without a link stays: time for an upstream's HEAD to prove one. */
const unlinkedFor = 7 * 24 * 60 * 60_000

/** Forgets what no link has named for a week. */
export async function dropUnlinked(catalog: Catalog, now: number): Promise<void> {
  const linked = new Set<Digest>()
  for await (const link of catalog.links()) linked.add(link.digest)
  for await (const [digest, record] of catalog.blobs()) {
    if (!linked.has(digest) && now - record.keptAt > unlinkedFor) await catalog.forgetUnlinked(digest)
  }
}
