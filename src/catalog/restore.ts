/**
 * Brings records and journal together at a start. Entries after the position that the records know are replayed; where the records
 * are lost, or may lack something, all that came from the journal goes and is made again from its first entry on; where the journal
 * itself is lost, it is written again from the records.
 */
import type { BlobStore } from '../store/blob-store.ts'
import type { Journal, OpenedJournal } from '../store/journal.ts'
import type { Operation } from '../store/key-value.ts'
import { type Change, changesOf, entryOf, subjectOf } from './changes.ts'
import { type JournalRecord, positionOperation } from './commits.ts'
import { unlinkOperation } from './links.ts'
import type { RecordStore } from './record-store.ts'
import { type BlobRecord, cannotBeFetched, decode, hostedOrigin, keys, type Link, type TagRecord } from './records.ts'
import { replayOperations } from './replay.ts'
import { parseName, parseTag } from '../oci/name.ts'

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
  files: BlobStore
}

/** Above this size, and five times what it was when it was last written anew, a journal is written anew. */
const smallJournal = 4 * 1024 * 1024

/** @param isLost whether the records were made anew, or some of them are lost */
export async function restore(options: RestoreOptions, isLost: boolean): Promise<Restored> {
  const { records, journal, isNew, damaged } = options
  const isDoubted = (await records.bytes(keys.doubt())) !== undefined
  const isDoubtful = isLost || isDoubted
  const known = await records.read<JournalRecord>(keys.journal())
  const isSame = known?.id === journal.id
  if (isNew || (isSame && known.position > journal.end && !isDoubtful)) {
    return { how: (await rewriteFromRecords(options)) > 0 ? 'rewritten' : 'replayed', entries: 0, damaged }
  }
  const from = isSame && !isDoubtful ? known.position : 0
  if (from === 0) await clear(records, known !== undefined)
  const base = isSame ? known.base : 0
  const entries = await replay(options, from, base)
  if (isDoubted) await records.write([{ delete: keys.doubt() }])
  // What the damaged lines said may still stand in the records.
  if (damaged > 0) await rewriteFromRecords(options)
  else if (journal.end > smallJournal + 4 * base) await compact(records, journal)
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

/** @returns how many entries it has then */
async function rewriteFromRecords({ records, journal }: RestoreOptions): Promise<number> {
  // A first start: nothing is written that could fail.
  if ((await changesInRecords(records).next()).done) return 0
  let entries = 0
  const written = async function* () {
    for await (const change of changesInRecords(records)) {
      entries += 1
      yield entryOf([change])
    }
  }
  await journal.replace(written())
  await notePosition(records, journal)
  return entries
}

async function* changesInRecords(records: RecordStore): AsyncGenerator<Change> {
  for await (const [, value] of records.scan(keys.links())) {
    const link = decode<Link>(value)
    if (!cannotBeFetched(link)) continue
    const blob = await records.read<BlobRecord>(keys.blob(link.digest))
    yield { link, size: blob?.size ?? 0 }
  }
  for await (const [key, value] of records.scan(`${keys.allTags()}${hostedOrigin} `)) {
    const [, origin = '', name = '', text = ''] = key.split(' ')
    const [parsed, tag] = [parseName(name), parseTag(text)]
    if (parsed && tag) yield { tag, repository: { origin, name: parsed }, record: decode<TagRecord>(value) }
  }
}

/** The journal without its history: of each thing the last that was said, unless it is that it has gone. */
async function compact(records: RecordStore, journal: Journal): Promise<void> {
  const last = new Map<string, Change>()
  for await (const { entry } of journal.read(0)) {
    for (const change of changesOf(entry)) {
      const subject = subjectOf(change)
      last.delete(subject)
      if ('link' in change || 'tag' in change) last.set(subject, change)
    }
  }
  await journal.replace(last.values().map((change) => entryOf([change])))
  await notePosition(records, journal)
}

function notePosition(records: RecordStore, journal: Journal): Promise<void> {
  return records.write([positionOperation({ id: journal.id, position: journal.end, base: journal.end })])
}
