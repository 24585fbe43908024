/**
 * Writes that change what cannot be fetched again: into the journal, durably, and only then into the records, together with the
 * position in the journal up to which they go. What waits meanwhile shares the next append and the next batch, in order, so that the
 * records never hold a later change without an earlier one.
 */
import { failpoint } from '../observe/failpoint.ts'
import type { Journal } from '../store/journal.ts'
import type { Operation } from '../store/key-value.ts'
import { type Change, entryOf } from './changes.ts'
import type { RecordStore } from './record-store.ts'
import { encode, keys } from './records.ts'

/** Where the records stand in the journal. */
export interface JournalRecord {
  id: string
  position: number
  /** Bytes of the journal when it was last written anew. */
  base: number
}

export interface Commits {
  /**
   * Durable when it settles.
   * @param changes what of it the journal keeps; where that is nothing, only the records are written
   * @throws when it could not be made durable; then neither journal nor records have any of it
   */
  write(operations: Operation[], changes: readonly Change[]): Promise<void>
}

interface Waiting {
  operations: Operation[]
  changes: readonly Change[]
  resolve: () => void
  reject: (error: unknown) => void
}

/** Entries of one append. */
const mostAtOnce = 256

export function createCommits(records: RecordStore, journal: Journal): Commits {
  let waiting: Waiting[] = []
  let isWorking = false

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.slice(0, mostAtOnce)
      waiting = waiting.slice(mostAtOnce)
      try {
        await writeGroup(group)
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    isWorking = false
  }

  async function writeGroup(group: Waiting[]): Promise<void> {
    const before = journal.end
    await journal.append(group.map(({ changes }) => entryOf(changes)))
    failpoint('journal.appended')
    const known = await records.read<JournalRecord>(keys.journal())
    const operations = group.flatMap((one) => one.operations)
    operations.push(positionOperation({ id: journal.id, position: journal.end, base: known?.base ?? 0 }))
    try {
      await records.write(operations)
    } catch (error) {
      // A later batch would claim the whole journal, so what the records lack must not stand in it.
      await journal.takeBack(before).catch(() => {})
      throw error
    }
  }

  return {
    write(operations, changes) {
      if (changes.length === 0) return records.write(operations)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      waiting.push({ operations, changes, resolve, reject })
      if (!isWorking) {
        isWorking = true
        void work()
      }
      return promise
    },
  }
}

export function positionOperation(record: JournalRecord): Operation {
  return { put: keys.journal(), value: encode(record) }
}
