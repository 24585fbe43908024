/** Where the records stand in the journal. */
import type { Operation } from '../store/key-value.ts'
import type { RecordStore } from './record-store.ts'
import { encode, keys } from './records.ts'

export interface JournalRecord {
  id: string
  position: number
  /** Bytes of the journal when it was last written anew. */
  base: number
}

export async function readPosition(records: RecordStore): Promise<JournalRecord | undefined> {
  return records.read<JournalRecord>(keys.journal())
}

export function positionOperation(record: JournalRecord): Operation {
  return { put: keys.journal(), value: encode(record) }
}
