/** Records by key, with those read lately in memory. Memory follows the disk: it never believes what a batch did not make durable. */
import { LRUCache } from 'lru-cache'
import type { KeyValue, Operation } from '../store/key-value.ts'
import { decode } from './records.ts'

export interface RecordStore {
  read<T extends object>(key: string): Promise<T | undefined>
  bytes(key: string): Promise<Uint8Array | undefined>
  scan(prefix: string): AsyncIterable<[string, Uint8Array]>
  write(operations: Operation[]): Promise<void>
}

interface Remembered {
  record: object
  /** Bytes on disk; records in memory take some times that. */
  size: number
}

/** What a record costs besides its bytes. */
const overhead = 256

/** @param memory bytes of records in memory: a list of tags may be as long as 20,000 links */
export function createRecordStore(store: KeyValue, memory = 16 * 1024 * 1024): RecordStore {
  const remembered = new LRUCache<string, Remembered>({
    maxSize: memory,
    sizeCalculation: ({ size }, key) => size + key.length + overhead,
  })
  let writes = 0

  return {
    async read<T extends object>(key: string) {
      const known = remembered.get(key)
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- decoded for the same key, which says which record it is
      if (known) return known.record as T
      const before = writes
      const value = await store.get(key)
      if (!value) return undefined
      const record = decode<T>(value)
      // A read that a write overtook may hold the old value.
      if (writes === before) remembered.set(key, { record, size: value.length })
      return record
    },
    bytes: (key) => store.get(key),
    scan: (prefix) => store.scan(prefix),
    async write(operations) {
      const changed = operations.map((operation) => ('put' in operation ? operation.put : operation.delete))
      writes += 1
      for (const key of changed) remembered.delete(key)
      try {
        await store.batch(operations)
      } finally {
        writes += 1
        for (const key of changed) remembered.delete(key)
      }
    },
  }
}
