/** A catalog over a real store in a temporary directory, whose clock the test sets. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Catalog, createCatalog } from '../../src/catalog/catalog.ts'
import type { Keeping } from '../../src/catalog/content.ts'
import type { Kind, Link, Proof, RepositoryKey } from '../../src/catalog/records.ts'
import { createSourcesFile, type SourcesFile } from '../../src/catalog/sources.ts'
import { type Digest, digestOf, hexOf } from '../../src/oci/digest.ts'
import { parseName } from '../../src/oci/name.ts'
import type { BlobStore } from '../../src/store/blob-store.ts'
import { createFileStore } from '../../src/store/files.ts'
import type { KeyValue } from '../../src/store/key-value.ts'
import { openJournal } from '../../src/store/journal.ts'
import { openLevel } from '../../src/store/level.ts'
import { createSpools, type Spools } from '../../src/store/spools.ts'
import { temporaryDirectory } from '../store/temporary.ts'

export interface Shelf {
  directory: string
  catalog: Catalog
  store: KeyValue
  files: BlobStore
  sources: SourcesFile
  spools: Spools
  /** Bytes that came less those that went. */
  counted(): number
  warnings: string[]
  clock: { now: number }
  /** A whole spool file of the bytes. */
  spool(bytes: Uint8Array): Promise<string>
  pathOf(digest: Digest): string
  fileNames(): Promise<string[]>
}

export interface ShelfOptions {
  directory?: string
  /** Stand in for the real ones. */
  storeFrom?: (store: KeyValue) => KeyValue
  filesFrom?: (files: BlobStore) => BlobStore
}

export async function openShelf(options: ShelfOptions = {}): Promise<Shelf> {
  const directory = options.directory ?? (await temporaryDirectory())
  const opened = (await openLevel(join(directory, 'catalog'), { reserve: 0 })).store
  const store = options.storeFrom?.(opened) ?? opened
  const plain = createFileStore(join(directory, 'blobs'))
  const files = options.filesFrom?.(plain) ?? plain
  const sources = createSourcesFile(join(directory, 'sources'))
  const spools = await createSpools(join(directory, 'spool'))
  const clock = { now: 1_700_000_000_000 }
  const warnings: string[] = []
  let counted = 0
  const catalog = createCatalog({
    store,
    files,
    sources,
    journal: await openJournal(join(directory, 'journal')),
    count: (bytes) => void (counted += bytes),
    warn: (message) => void warnings.push(message),
    now: () => clock.now,
    async spool(bytes) {
      const spool = await spools.create('manifest')
      await spool.append(bytes)
      await spool.seal()
      return spool
    },
  })
  onTestFinished(() => catalog.close())
  return {
    directory,
    catalog,
    store,
    files,
    sources,
    spools,
    warnings,
    clock,
    counted: () => counted,
    async spool(bytes) {
      const path = join(directory, 'spool', `whole-${hexOf(digestOf(bytes)).slice(0, 16)}-${Math.random()}`)
      await writeFile(path, bytes)
      return path
    },
    pathOf: (digest) => join(directory, 'blobs', 'sha256', hexOf(digest).slice(0, 2), hexOf(digest)),
    async fileNames() {
      const entries = await readdir(join(directory, 'blobs'), { recursive: true, withFileTypes: true }).catch(() => [])
      return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
    },
  }
}

export function repository(text: string, origin = 'upstream.test'): RepositoryKey {
  const name = parseName(text)
  if (!name) throw new Error(`${text} is no repository name`)
  return { origin, name }
}

export function linkTo(digest: Digest, more: Partial<Link> & { kind?: Kind; proof?: Proof } = {}): Link {
  return {
    repository: repository('app'),
    kind: 'blob',
    digest,
    mediaType: 'application/octet-stream',
    proof: 'fetched',
    credential: 'anonymous',
    at: 0,
    ...more,
  }
}

/** What keeps the bytes for one repository. */
export function keepingOf(bytes: Uint8Array, more: Partial<Link> = {}): Keeping {
  const digest = digestOf(bytes)
  return { digest, bytes: { bytes }, links: [linkTo(digest, more)] }
}
