/** Content that no link names: what clients deleted, and files that outlived a lost catalog and that no upstream has proved since. */
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

/**
 * Forgets what a client has taken the last link of, and what nobody came to free: the process ended, or the disk failed. No upload can
 * be about to name it: what a manifest names must be linked.
 * @throws AggregateError after all have been tried
 */
export async function freeDeleted(catalog: Catalog): Promise<void> {
  const failures: unknown[] = []
  for await (const digest of catalog.toFree()) {
    await catalog.forgetUnlinked(digest).catch((error: unknown) => failures.push(error))
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} of what was deleted could not be freed`)
}
