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

export function createRecordStore(store: KeyValue, remembered = 20_000): RecordStore {
  const memory = new LRUCache<string, object>({ max: remembered })
  let writes = 0

  return {
    async read<T extends object>(key: string) {
      const known = memory.get(key)
      if (known) return known as T
      const before = writes
      const value = await store.get(key)
      if (!value) return undefined
      const record = decode<T>(value)
      // A read that a write overtook may hold the old value.
      if (writes === before) memory.set(key, record)
      return record
    },
    bytes: (key) => store.get(key),
    scan: (prefix) => store.scan(prefix),
    async write(operations) {
      const changed = operations.map((operation) => ('put' in operation ? operation.put : operation.delete))
      writes += 1
      for (const key of changed) memory.delete(key)
      try {
        await store.batch(operations)
      } finally {
        writes += 1
        for (const key of changed) memory.delete(key)
      }
    },
  }
}
