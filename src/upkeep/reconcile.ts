/**
 * Brings files and records together after a start, beside everything else: a file that no record speaks of, and that was last
 * written before this process, is the leftover of a crash and goes; where the catalog itself was lost, nothing goes, and files
 * get records again once they have been re-hashed, without links until an upstream's HEAD proves one.
 */
import { createHash } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import type { Source } from '../catalog/records.ts'
import type { SourcesFile } from '../catalog/sources.ts'
import { algorithmOf, type Digest, hashedDigest } from '../oci/digest.ts'
import type { BlobStore } from '../store/blob-store.ts'

export interface ReconcileOptions {
  catalog: Catalog
  files: BlobStore
  sources: SourcesFile
  /** The catalog was made or set aside at this start. */
  catalogIsNew: boolean
  /** ms since the epoch. */
  startedAt: number
  now: () => number
  log: (message: string, facts: Record<string, unknown>) => void
}

/** Settles when all files have been looked at. */
export async function reconcile(options: ReconcileOptions, signal: AbortSignal): Promise<void> {
  const known = await options.sources.read()
  const present = new Map<Digest, Source[]>()
  let swept = 0
  let adopted = 0
  for await (const file of options.files.list()) {
    if (signal.aborted) return
    const recorded = await options.catalog.blob(file.digest)
    if (recorded) {
      present.set(file.digest, recorded.sources)
      continue
    }
    if (options.catalogIsNew) {
      const sources = known.get(file.digest) ?? []
      const adoptable = await adopt(options, file.digest, sources, signal)
      if (adoptable) present.set(file.digest, sources)
      adopted += adoptable ? 1 : 0
    } else if (file.modifiedAt < options.startedAt) {
      await options.catalog.sweepFile(file.digest)
      swept += 1
    }
  }
  await options.sources.rewrite(present)
  if (swept + adopted > 0) options.log('reconciled files with the catalog', { swept, adopted })
}

async function adopt(
  options: ReconcileOptions,
  digest: Digest,
  sources: Source[],
  signal: AbortSignal,
): Promise<boolean> {
  const { catalog, files, now } = options
  const size = await sizeIfWhole(files, digest, signal)
  if (size === undefined) {
    if (!signal.aborted) await catalog.sweepFile(digest)
    return false
  }
  await catalog.adoptFile(digest, { size, place: 'file', verifiedAt: now(), keptAt: now(), sources })
  return true
}

/** The file's size where its bytes match its name. */
async function sizeIfWhole(files: BlobStore, digest: Digest, signal: AbortSignal): Promise<number | undefined> {
  const source = await files.open(digest)
  if (!source) return undefined
  const hash = createHash(algorithmOf(digest))
  const buffer = Buffer.allocUnsafe(1024 * 1024)
  let position = 0
  try {
    for (;;) {
      if (signal.aborted) return undefined
      const count = await source.read(position, buffer)
      if (count === 0) break
      hash.update(buffer.subarray(0, count))
      position += count
    }
  } finally {
    await source.close()
  }
  return hashedDigest(algorithmOf(digest), hash) === digest ? position : undefined
}
