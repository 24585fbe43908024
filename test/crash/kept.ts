/** What a data directory holds once its daemon has ended: records, files, spools, each file hashed. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createCatalog } from '../../src/catalog/catalog.ts'
import { createSourcesFile } from '../../src/catalog/sources.ts'
import { readAll } from '../../src/oci/byte-source.ts'
import { algorithmOf, type Digest, digestOf } from '../../src/oci/digest.ts'
import { createFileStore } from '../../src/store/files.ts'
import { openJournal } from '../../src/store/journal.ts'
import { openLevel } from '../../src/store/level.ts'

export interface Kept {
  /** Digests that have a record. */
  recorded: Digest[]
  /** Files that no record speaks of. */
  orphans: Digest[]
  /** Records whose bytes are missing, of another size, or of another digest. */
  damaged: Digest[]
  /** Records that no link names. */
  unlinked: Digest[]
  /** Names in the spool directory. */
  spools: string[]
}

export async function inspectKept(data: string): Promise<Kept> {
  const { store } = await openLevel(join(data, 'catalog'), { reserve: 0 })
  const files = createFileStore(join(data, 'blobs'))
  const sources = createSourcesFile(join(data, 'sources'))
  const spool = () => Promise.reject(new Error('Nothing is kept by looking.'))
  const journal = await openJournal(join(data, 'journal'))
  const catalog = createCatalog({ store, files, sources, journal, spool, count: () => {} })
  const kept: Kept = { recorded: [], orphans: [], damaged: [], unlinked: [], spools: await spoolsIn(data) }
  const linked = new Set<Digest>()
  for await (const { digest } of catalog.links()) linked.add(digest)
  for await (const [digest, { size }] of catalog.blobs()) {
    kept.recorded.push(digest)
    if (!linked.has(digest)) kept.unlinked.push(digest)
    const source = await catalog.open(digest)
    const bytes = source && (await readAll(source))
    if (bytes?.length !== size || digestOf(bytes, algorithmOf(digest)) !== digest) kept.damaged.push(digest)
  }
  for await (const { digest } of files.list()) if (!(await catalog.blob(digest))) kept.orphans.push(digest)
  await catalog.close()
  return kept
}

/** Digests of the files, whether recorded or not; readable while the daemon runs. */
export async function filesIn(data: string): Promise<Digest[]> {
  const found: Digest[] = []
  for await (const { digest } of createFileStore(join(data, 'blobs')).list()) found.push(digest)
  return found.toSorted()
}

export async function spoolsIn(data: string): Promise<string[]> {
  return readdir(join(data, 'spool'))
}
