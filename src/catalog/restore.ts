/**
 * Brings records and journal together at a start. Entries after the position that the records know are replayed; where the records
 * are lost, or may lack something, all that came from the journal goes and is made again from its first entry on; where the journal
 * itself is lost, it is written again from the records.
 */
import type { BlobStore } from '../store/blob-store.ts'
import type { OpenedJournal } from '../store/journal.ts'
import type { Operation } from '../store/key-value.ts'
import { type Change, changesOf, subjectOf } from './changes.ts'
import type { Commits } from './commits.ts'
import { changesInRecords, compact } from './compact.ts'
import { unlinkOperation } from './links.ts'
import { positionOperation, readPosition } from './position.ts'
import type { RecordStore } from './record-store.ts'
import { cannotBeFetched, decode, hostedOrigin, keys, type Link } from './records.ts'
import { replayOperations } from './replay.ts'

export interface Restored {
  /** `rebuilt`: all of it; `rewritten`: the journal was lost, and is as the records have it. */
  how: 'replayed' | 'rebuilt' | 'rewritten'
  /** Entries that were made into records. */
  entries: number
  /** Lines of the journal that do not check: what they said is lost. */
  damaged: number
}

export interface RestoreOptions extends OpenedJournal {
  records: RecordStore
  commits: Pick<Commits, 'believe'>
  files: BlobStore
}

/** @param isLost whether the records were made anew, or some of them are lost */
export async function restore(options: RestoreOptions, isLost: boolean): Promise<Restored> {
  const { records, commits, journal, isNew, damaged } = options
  const isDoubtful = isLost || (await records.bytes(keys.doubt())) !== undefined
  const known = await readPosition(records)
  const isSame = known?.id === journal.id
  if (isNew || (isSame && known.position > journal.end && !isDoubtful)) {
    return { how: (await writeAnew(options)) ? 'rewritten' : 'replayed', entries: 0, damaged }
  }
  const from = isSame && !isDoubtful ? known.position : 0
  if (from === 0) await clear(records, known !== undefined)
  const base = isSame ? known.base : 0
  const entries = await replay(options, from, base)
  if (from === 0) await commits.believe()
  // What the damaged lines said may still stand in the records.
  if (damaged > 0) await writeAnew(options)
  return { how: from === 0 && entries > 0 ? 'rebuilt' : 'replayed', entries, damaged }
}

/** Operations of one batch, about. */
const batchSize = 500

async function replay({ records, files, journal }: RestoreOptions, from: number, base: number): Promise<number> {
  let entries = 0
  let changes = new Map<string, Change>()
  let position = from
  const write = async () => {
    const operations = await replayOperations({ records, files }, changes.values())
    changes = new Map()
    await records.write([...operations, positionOperation({ id: journal.id, position, base })])
  }
  for await (const { entry, end } of journal.read(from)) {
    for (const change of changesOf(entry)) changes.set(subjectOf(change), change)
    position = end
    entries += 1
    if (changes.size >= batchSize) await write()
  }
  if (entries === 0) return 0
  position = journal.end
  await write()
  return entries
}

/** Everything that came from a journal; an end in between leaves no position, so that the next start begins again. */
async function clear(records: RecordStore, hasPosition: boolean): Promise<void> {
  let operations: Operation[] = hasPosition ? [{ delete: keys.journal() }] : []
  const add = async (...more: Operation[]) => {
    operations.push(...more)
    if (operations.length < batchSize) return
    await records.write(operations)
    operations = []
  }
  for await (const [, value] of records.scan(keys.links())) {
    const link = decode<Link>(value)
    if (cannotBeFetched(link)) await add(...unlinkOperation(link))
  }
  for (const prefix of [`${keys.allTags()}${hostedOrigin} `, keys.allReferring(), keys.allRefersTo()]) {
    for await (const [key] of records.scan(prefix)) await add({ delete: key })
  }
  if (operations.length > 0) await records.write(operations)
}

/** From the records, before anything changes. False where they have nothing to say: a first start writes nothing that could fail. */
async function writeAnew({ records, journal }: RestoreOptions): Promise<boolean> {
  for await (const _ of changesInRecords(records)) {
    await compact({ records, journal, between: (work) => work(), requireGoing: () => {} })
    return true
  }
  return false
}
