/**
 * The journal without its history, written from the records while changes go on. Every entry says all of its subject, so the last one
 * decides and a thing may be said twice: what is read of the records is as new as the position where reading began or newer, and all
 * entries after that position follow it.
 */
import { parseName, parseTag } from '../oci/name.ts'
import { failpoint } from '../observe/failpoint.ts'
import type { Journal } from '../store/journal.ts'
import { type Change, entryOf } from './changes.ts'
import { positionOperation } from './position.ts'
import type { RecordStore } from './record-store.ts'
import { type BlobRecord, cannotBeFetched, decode, hostedOrigin, keys, type Link, type TagRecord } from './records.ts'

export interface CompactOptions {
  records: RecordStore
  journal: Journal
  /** Does something between two changes, when the records have all that the journal has. */
  between: <T>(work: () => Promise<T>) => Promise<T>
  /** @throws where it must not go on */
  requireGoing: () => void
}

/** @throws what the disk says, or what must not go on; the old journal is there still, unless its successor is whole */
export async function compact(options: CompactOptions): Promise<void> {
  const { records, journal, between } = options
  const next = await journal.begin()
  try {
    failpoint('compact.begun')
    const from = await between(async () => journal.end)
    await next.add(entriesOf(going(changesInRecords(records), options)))
    failpoint('compact.scanned')
    // Nearly all that came meanwhile is made durable while nobody waits, so that little is left for when all do.
    const middle = await between(async () => journal.end)
    await next.add(entriesIn(journal, from, middle))
    await next.sync()
    await between(async () => {
      await next.add(entriesIn(journal, middle, journal.end))
      failpoint('compact.copied')
      options.requireGoing()
      await next.succeed()
      const { id, end } = journal
      await records.write([positionOperation({ id, position: end, base: end })])
    })
    failpoint('compact.noted')
  } finally {
    await next.discard()
  }
}

/** All that the journal must say. */
export async function* changesInRecords(records: RecordStore): AsyncGenerator<Change> {
  for await (const [, value] of records.scan(keys.links())) {
    const link = decode<Link>(value)
    if (!cannotBeFetched(link)) continue
    // Past the memory for records, which is for those that clients ask for.
    const blob = await records.bytes(keys.blob(link.digest))
    yield { link, size: blob ? decode<BlobRecord>(blob).size : 0 }
  }
  for await (const [key, value] of records.scan(`${keys.allTags()}${hostedOrigin} `)) {
    const [, origin = '', name = '', text = ''] = key.split(' ')
    const [parsed, tag] = [parseName(name), parseTag(text)]
    if (parsed && tag) yield { tag, repository: { origin, name: parsed }, record: decode<TagRecord>(value) }
  }
}

async function* going<T>(items: AsyncIterable<T>, { requireGoing }: CompactOptions): AsyncGenerator<T> {
  for await (const item of items) {
    requireGoing()
    yield item
  }
}

async function* entriesOf(changes: AsyncIterable<Change>): AsyncGenerator<string> {
  for await (const change of changes) yield entryOf([change])
}

async function* entriesIn(journal: Journal, from: number, to: number): AsyncGenerator<string> {
  for await (const { entry } of journal.read(from, to)) yield entry
}
