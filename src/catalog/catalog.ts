/** What is kept: content by digest with its links, and the answers about names; all of it records over one KeyValue. */
import type { BlobStore } from '../store/blob-store.ts'
import type { OpenedJournal } from '../store/journal.ts'
import type { KeyValue } from '../store/key-value.ts'
import { type Answers, createAnswers } from './answers.ts'
import { createCommits } from './commits.ts'
import { type Content, createContent } from './content.ts'
import type { WholeSpool } from './places.ts'
import { createRecordStore } from './record-store.ts'
import { encode, keys } from './records.ts'
import { type Restored, restore } from './restore.ts'
import type { SourcesFile } from './sources.ts'
import { createUses, type Uses } from './uses.ts'

export interface Catalog extends Content, Answers {
  readonly uses: Uses
  /** Bytes that were verified before this, ms since the epoch, count as not verified. */
  readonly believedSince: number
  /** Whether all files have been looked at under this catalog: before that one without a record may be what a lost catalog kept. */
  filesAreKnown(): Promise<boolean>
  setFilesKnown(known: boolean): Promise<void>
  /**
   * Brings the records to where the journal is, before anybody reads them: once, after a start.
   * @param isDoubtful the records were made anew, or some of them are lost
   */
  restore(isDoubtful: boolean): Promise<Restored>
  /** A record that came from the journal is corrupt: the next start makes all of them again. */
  doubt(): Promise<void>
  /** Whether that has happened since the start: what reads as absent may be there. */
  isDoubtful(): boolean
  close(): Promise<void>
}

export interface CatalogOptions {
  store: KeyValue
  files: BlobStore
  sources: SourcesFile
  journal: OpenedJournal
  spool: (bytes: Uint8Array) => Promise<WholeSpool>
  count: (bytes: number) => void
  /** The last process ended without a word, and the disk may have lost what it was given. */
  wasAbandoned?: boolean
  warn?: (message: string, error: unknown) => void
  now?: () => number
}

export function createCatalog(options: CatalogOptions): Catalog {
  const { store, files, journal, now = Date.now } = options
  const records = createRecordStore(store)
  const commits = createCommits({ ...options, records, journal: journal.journal })
  const uses = createUses(store, now)
  return {
    ...createContent({ ...options, records, commits, uses, now }),
    ...createAnswers(records, commits),
    uses,
    believedSince: options.wasAbandoned ? now() : 0,
    filesAreKnown: async () => (await records.bytes(keys.filesKnown())) !== undefined,
    setFilesKnown: (known) =>
      records.write([known ? { put: keys.filesKnown(), value: encode({}) } : { delete: keys.filesKnown() }]),
    restore: (isDoubtful) => restore({ records, commits, files, ...journal }, isDoubtful),
    doubt: () => commits.doubt(),
    isDoubtful: () => commits.isDoubtful(),
    async close() {
      try {
        await commits.close()
        await uses.close()
      } finally {
        await journal.journal.close()
        await store.close()
      }
    },
  }
}
