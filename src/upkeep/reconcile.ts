/**
 * Brings files and records together after a start, beside everything else: a file that no record speaks of, and that was last
 * written before this process, is the leftover of a crash and goes; where the catalog itself was lost, nothing goes, and files
 * get records again once they have been re-hashed, without links until an upstream's HEAD proves one. So does a file at any time that
 * nobody else has.
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
  /** The catalog was made or set aside at this start, or has lost records. */
  catalogIsNew: boolean
  /** ms since the epoch. */
  startedAt: number
  now: () => number
  log: (message: string, facts: Record<string, unknown>) => void
}

/** Settles when all files have been looked at. */
export async function reconcile(options: ReconcileOptions, signal: AbortSignal): Promise<void> {
  const { catalog, files, sources, log } = options
  if (options.catalogIsNew) await catalog.setFilesKnown(false)
  const filesAreKnown = await catalog.filesAreKnown()
  const known = await sources.read()
  const seen = { swept: 0, adopted: 0, unreadable: 0 }
  for await (const file of files.list()) {
    if (signal.aborted) return
    if (await catalog.blob(file.digest)) continue
    if (!filesAreKnown || (await catalog.isIrreplaceable(file.digest))) {
      seen[await adopt(options, file.digest, known.get(file.digest) ?? [], signal)] += 1
    } else if (file.modifiedAt < options.startedAt) {
      await catalog.sweepFile(file.digest)
      seen.swept += 1
    }
  }
  if (signal.aborted) return
  await sources.rewrite(() => sourcesOfFiles(catalog))
  // An end before this point leaves the next start to go on: nothing is swept until all has been looked at.
  if (!filesAreKnown && seen.unreadable === 0) await catalog.setFilesKnown(true)
  log('reconciled files with the catalog', seen)
}

async function adopt(
  options: ReconcileOptions,
  digest: Digest,
  sources: Source[],
  signal: AbortSignal,
): Promise<'adopted' | 'swept' | 'unreadable'> {
  const { catalog, files, now, log } = options
  try {
    const size = await sizeIfWhole(files, digest, signal)
    if (size === undefined) {
      if (!signal.aborted) await catalog.sweepFile(digest)
      return 'swept'
    }
    await catalog.adoptFile(digest, { size, place: 'file', verifiedAt: now(), keptAt: now(), sources })
    return 'adopted'
  } catch (error) {
    // One bad sector must not keep the other files from being found again.
    log('a file cannot be adopted; the next start tries again', { digest, error })
    return 'unreadable'
  }
}

async function* sourcesOfFiles(catalog: Catalog): AsyncGenerator<[Digest, Source[]]> {
  for await (const [digest, record] of catalog.blobs()) {
    if (record.place === 'file') yield [digest, record.sources]
  }
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
