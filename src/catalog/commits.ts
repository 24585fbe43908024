/**
 * Writes that change what cannot be fetched again: into the journal, durably, and only then into the records, together with the
 * position in the journal up to which they go. What waits meanwhile shares the next append and the next batch, in order, so that the
 * records never hold a later change without an earlier one.
 */
import { failpoint } from '../observe/failpoint.ts'
import type { Journal } from '../store/journal.ts'
import type { Operation } from '../store/key-value.ts'
import { type Change, entryOf } from './changes.ts'
import { type CompactorOptions, createCompactor } from './compactor.ts'
import { createLock } from './lock.ts'
import { positionOperation, readPosition } from './position.ts'
import type { RecordStore } from './record-store.ts'
import { encode, keys } from './records.ts'

export interface Commits {
  /**
   * Durable when it settles.
   * @param changes what of it the journal keeps; where that is nothing, only the records are written
   * @throws when it could not be made durable; then neither journal nor records have any of it
   */
  write(operations: Operation[], changes: readonly Change[]): Promise<void>
  /** A record that came from the journal is corrupt: the next start makes all of them again. Until then absence proves nothing. */
  doubt(): Promise<void>
  isDoubtful(): boolean
  /** All of them were made again. */
  believe(): Promise<void>
  /** Ends what runs beside the writes. */
  close(): Promise<void>
}

export interface CommitsOptions extends Pick<CompactorOptions, 'small' | 'retryAfter'> {
  records: RecordStore
  journal: Journal
  warn?: (message: string, error: unknown) => void
}

interface Waiting {
  operations: Operation[]
  changes: readonly Change[]
  resolve: () => void
  reject: (error: unknown) => void
}

/** Entries of one append. */
const mostAtOnce = 256

export function createCommits(options: CommitsOptions): Commits {
  const { records, journal, warn = () => {} } = options
  let waiting: Waiting[] = []
  let isWorking = false
  let isDoubtful = false
  const locked = createLock()
  const between = <T>(step: () => Promise<T>) => locked('journal', step)
  const doubt = () =>
    isDoubtful ? 'A record of the catalog is corrupt: restart, so that it is made again.' : undefined
  const compactor = createCompactor({ ...options, between, doubt, warn })

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.slice(0, mostAtOnce)
      waiting = waiting.slice(mostAtOnce)
      try {
        await between(() => writeGroup(group))
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    isWorking = false
  }

  async function writeGroup(group: Waiting[]): Promise<void> {
    const before = journal.end
    const { base } = (await readPosition(records)) ?? { base: 0 }
    await journal.append(group.map(({ changes }) => entryOf(changes)))
    failpoint('journal.appended')
    const operations = group.flatMap((one) => one.operations)
    operations.push(positionOperation({ id: journal.id, position: journal.end, base }))
    try {
      await records.write(operations)
    } catch (error) {
      // A later batch would claim the whole journal, so what the records lack must not stand in it.
      await journal.takeBack(before).catch(() => {})
      throw error
    }
    compactor.look(base)
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
    doubt() {
      isDoubtful = true
      return records.write([{ put: keys.doubt(), value: encode({}) }])
    },
    isDoubtful: () => isDoubtful,
    async believe() {
      isDoubtful = false
      if (await records.bytes(keys.doubt())) await records.write([{ delete: keys.doubt() }])
    },
    close: () => compactor.stop(),
  }
}
