/** What is kept: content by digest with its links, and the answers about names; all of it records over one KeyValue. */
import type { BlobStore } from '../store/blob-store.ts'
import type { KeyValue } from '../store/key-value.ts'
import { type Answers, createAnswers } from './answers.ts'
import { type Content, createContent } from './content.ts'
import type { WholeSpool } from './places.ts'
import { createRecordStore } from './record-store.ts'
import { encode, keys } from './records.ts'
import type { SourcesFile } from './sources.ts'
import { createUses, type Uses } from './uses.ts'

export interface Catalog extends Content, Answers {
  readonly uses: Uses
  /** Whether all files have been looked at under this catalog: before that one without a record may be what a lost catalog kept. */
  filesAreKnown(): Promise<boolean>
  setFilesKnown(known: boolean): Promise<void>
  close(): Promise<void>
}

export interface CatalogOptions {
  store: KeyValue
  files: BlobStore
  sources: SourcesFile
  spool: (bytes: Uint8Array) => Promise<WholeSpool>
  count: (bytes: number) => void
  warn?: (message: string, error: unknown) => void
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
    filesAreKnown: async () => (await records.bytes(keys.filesKnown())) !== undefined,
    setFilesKnown: (known) =>
      records.write([known ? { put: keys.filesKnown(), value: encode({}) } : { delete: keys.filesKnown() }]),
    async close() {
      try {
        await uses.close()
      } finally {
        await store.close()
      }
    },
  }
}
