/** What is kept: content by digest with its links, and the answers about names; all of it records over one KeyValue. */
import type { BlobStore } from '../store/blob-store.ts'
import type { KeyValue } from '../store/key-value.ts'
import { type Answers, createAnswers } from './answers.ts'
import { type Content, createContent } from './content.ts'
import { createRecordStore } from './record-store.ts'
import type { SourcesFile } from './sources.ts'
import { createUses, type Uses } from './uses.ts'

export interface Catalog extends Content, Answers {
  readonly uses: Uses
  close(): Promise<void>
}

export interface CatalogOptions {
  store: KeyValue
  files: BlobStore
  sources: SourcesFile
  spool: (bytes: Uint8Array) => Promise<string>
  count: (bytes: number) => void
  now?: () => number
}

export function createCatalog(options: CatalogOptions): Catalog {
  const { store, now = Date.now } = options
  const records = createRecordStore(store)
  const uses = createUses(store, now)
  return {
    ...createContent({ ...options, records, uses, now }),
    ...createAnswers(records),
    uses,
    async close() {
      await uses.close()
      await store.close()
    },
  }
}
