/** KeyValue over a LevelDB handle: checksummed records, and batches that wait together are written together. */
import { frame, unframe } from './record-frame.ts'
import type { KeyValue, Operation } from './key-value.ts'
import { recordAt, type Handle, type LevelHandle, type Write } from './level-handle.ts'
import { hasCode } from './errors.ts'

interface Waiting {
  writes: Write[]
  resolve: () => void
  reject: (error: unknown) => void
}

/** Well below LevelDB's write buffer of 4 MiB. */
const groupBytes = 1024 * 1024
const pageRecords = 1000

export function createLevelStore(levels: LevelHandle, onCorrupt: (key: string) => void): KeyValue {
  const waiting: Waiting[] = []
  let draining: Promise<void> | undefined
  let closing: Promise<void> | undefined

  /** One write at a time: were two under way, the second could be acknowledged after the first one tore the log. */
  async function drain() {
    for (let group = takeGroup(waiting); group.length > 0; group = takeGroup(waiting)) {
      try {
        await levels.write(group.flatMap(({ writes }) => writes))
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    draining = undefined
  }
  function requireOpen() {
    if (closing !== undefined) throw new Error('The store is closed.')
  }

  return {
    get: async (key) => {
      requireOpen()
      const record = await levels.read((handle) => recordAt(handle, key))
      if (record === undefined) return undefined
      const value = unframe(key, record)
      if (value === undefined) onCorrupt(key)
      return value
    },
    batch: async (operations) => {
      requireOpen()
      const writes = operations.map(writeOf)
      if (writes.length === 0) return
      await new Promise<void>((resolve, reject) => {
        waiting.push({ writes, resolve, reject })
        draining ??= drain()
      })
    },
    async *scan(prefix) {
      requireOpen()
      for await (const [key, record] of walk(await levels.read(pinned), prefix, onCorrupt)) {
        const value = unframe(key, record)
        // The key of a corrupt record may be wrong too, so it does not tell where the prefix ends.
        if (value === undefined) onCorrupt(key)
        else if (key.startsWith(prefix)) yield [key, value]
        else return
      }
    },
    close: () =>
      (closing ??= (async () => {
        await draining
        await levels.close()
      })()),
  }
}

function writeOf(operation: Operation): Write {
  const key = 'put' in operation ? operation.put : operation.delete
  if (key === '') throw new TypeError('A key is never empty.')
  return 'put' in operation ? { type: 'put', key, value: frame(key, operation.value) } : { type: 'del', key }
}

function takeGroup(waiting: Waiting[]): Waiting[] {
  let bytes = 0
  let count = 0
  for (const { writes } of waiting) {
    for (const write of writes) bytes += write.key.length + (write.type === 'put' ? write.value.length : 0)
    if (count > 0 && bytes > groupBytes) break
    count += 1
  }
  return waiting.splice(0, count)
}

/**
 * The raw records from `prefix` on, of one snapshot. Where LevelDB finds a block that it cannot decode, it walks over it and says so
 * at the end, in place of the last page: a second round then reads the rest record by record.
 */
async function* walk(
  { handle, snapshot }: ReturnType<typeof pinned>,
  prefix: string,
  onCorrupt: (key: string) => void,
): AsyncIterable<[string, Buffer]> {
  let from: { gte: string } | { gt: string } = { gte: prefix }
  try {
    for (const records of [pageRecords, 1]) {
      const iterator = handle.iterator<string, Buffer>({ ...from, snapshot })
      try {
        for (;;) {
          const page: [string, Buffer][] = await iterator.nextv(records)
          if (page.length === 0) return
          for (const entry of page) {
            from = { gt: entry[0] }
            yield entry
          }
        }
      } catch (error) {
        if (!hasCode(error, 'LEVEL_CORRUPTION')) throw error
        if (records === 1) onCorrupt(prefix)
      } finally {
        await iterator.close()
      }
    }
  } finally {
    await snapshot.close()
  }
}

function pinned(handle: Handle) {
  return { handle, snapshot: handle.snapshot() }
}
