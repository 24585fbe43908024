/**
 * A file of entries that outlives the catalog: what cannot be fetched again is in it before it is answered. A line an entry,
 * `<crc32> <text>`; a line that does not check is no entry. The first line names the file, so that a position in it is never taken
 * for one in another.
 */
import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { failpoint } from '../observe/failpoint.ts'
import { syncDirectory } from './directory.ts'
import { hasCode } from './errors.ts'

export interface Journal {
  /** Another file, another id. */
  readonly id: string
  /** Where the next entry will stand, in bytes. */
  readonly end: number
  /**
   * Durable, all of them, when it settles; entries have no line breaks. One call at a time.
   * @throws the system's error; then none of them is there
   */
  append(entries: readonly string[]): Promise<void>
  /** Takes back what was appended after `position`; where the disk does not do it now, no later append happens before it has. */
  takeBack(position: number): Promise<void>
  /** The entries from a position on, in order, each with the position after it. */
  read(from: number): AsyncIterable<{ entry: string; end: number }>
  /** Another file in the place of this one, durable when it settles. */
  replace(entries: AsyncIterable<string> | Iterable<string>): Promise<void>
  close(): Promise<void>
}

export interface OpenedJournal {
  journal: Journal
  /** There was none before. */
  isNew: boolean
  /** Lines with entries after them that do not check. */
  damaged: number
}

/** `path` must be this process's alone. A torn last line, which nobody was answered for, goes. */
export async function openJournal(path: string): Promise<OpenedJournal> {
  await rm(`${path}.new`, { force: true })
  const found = await look(path)
  const isNew = found.id === undefined
  let id = found.id ?? (await makeFile(path, []))
  let end = isNew ? await endOf(path) : found.end
  let handle: FileHandle | undefined
  /** What stands after `end` must go before anything else is written. */
  let isDirty = !isNew && found.size > found.end

  async function opened(): Promise<FileHandle> {
    handle ??= await open(path, 'r+')
    if (!isDirty) return handle
    await handle.truncate(end)
    await handle.sync()
    isDirty = false
    return handle
  }

  /** After a failed fsync the kernel may have forgotten what it did not write: nothing is believed of this handle any more. */
  async function distrust(): Promise<void> {
    isDirty = true
    const old = handle
    handle = undefined
    await old?.close().catch(() => {})
  }

  const journal: Journal = {
    get id() {
      return id
    },
    get end() {
      return end
    },
    async append(entries) {
      const file = await opened()
      const bytes = Buffer.from(entries.map(lineOf).join(''))
      try {
        failpoint('journal.writing')
        await writeAll(file, bytes, end)
        failpoint('journal.written')
        await file.datasync()
        failpoint('journal.synced')
      } catch (error) {
        await distrust()
        throw error
      }
      end += bytes.length
    },
    async takeBack(position) {
      end = position
      isDirty = true
      await opened()
    },
    async *read(from) {
      for await (const line of linesOf(path, from, end)) {
        if (line.text !== undefined && line.start > 0) yield { entry: line.text, end: line.end }
      }
    },
    async replace(entries) {
      const next = await makeFile(path, entries)
      await distrust()
      isDirty = false
      id = next
      end = await endOf(path)
    },
    async close() {
      await handle?.close()
      handle = undefined
    },
  }
  return { journal, isNew, damaged: found.damaged }
}

const longestLine = 1024 * 1024

/** What is in the file: the id of its first line, and where the last line that checks ends. */
async function look(path: string): Promise<{ id?: string; end: number; size: number; damaged: number }> {
  const found: { id?: string; end: number; size: number; damaged: number } = { end: 0, size: 0, damaged: 0 }
  let suspects = 0
  try {
    for await (const { start, end, text } of linesOf(path, 0, Number.POSITIVE_INFINITY)) {
      found.size = end
      if (text === undefined) {
        suspects += 1
        continue
      }
      if (start === 0) found.id = text
      found.damaged += suspects
      suspects = 0
      found.end = end
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return found
    throw error
  }
  // A file whose first line is damaged is still worth its entries: a position in it is of no use any more, so it gets another id.
  if (found.id === undefined && found.end > 0) found.id = `damaged-${randomBytes(8).toString('hex')}`
  return found
}

/** Makes the file anew with a new id, which it settles with. */
async function makeFile(path: string, entries: AsyncIterable<string> | Iterable<string>): Promise<string> {
  const id = randomBytes(16).toString('hex')
  const temporary = `${path}.new`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.write(lineOf(id))
    for await (const entry of entries) await file.write(lineOf(entry))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
  return id
}

async function endOf(path: string): Promise<number> {
  const file = await open(path, 'r')
  try {
    return (await file.stat()).size
  } finally {
    await file.close()
  }
}

interface Line {
  start: number
  end: number
  /** `undefined` where it does not check. */
  text: string | undefined
}

async function* linesOf(path: string, from: number, to: number): AsyncGenerator<Line> {
  if (from >= to) return
  let rest: Buffer = Buffer.alloc(0)
  let start = from
  const last = Number.isFinite(to) ? { end: to - 1 } : {}
  const stream = createReadStream(path, { start: from, ...last, highWaterMark: 256 * 1024 })
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let at = rest.indexOf(0x0a); at >= 0; at = rest.indexOf(0x0a)) {
      const end = start + at + 1
      yield { start, end, text: textOf(rest.subarray(0, at)) }
      rest = rest.subarray(at + 1)
      start = end
    }
    // No entry is as long: what has no line break is damage, and is passed over in parts.
    if (rest.length > longestLine) {
      yield { start, end: start + rest.length, text: undefined }
      start += rest.length
      rest = Buffer.alloc(0)
    }
  }
  if (rest.length > 0) yield { start, end: start + rest.length, text: undefined }
}

function lineOf(text: string): string {
  return `${checksum(text)} ${text}\n`
}

function textOf(line: Buffer): string | undefined {
  if (line.length < 10) return undefined
  const text = line.toString('utf8', 9)
  return line.toString('latin1', 0, 9) === `${checksum(text)} ` ? text : undefined
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}

async function writeAll(file: FileHandle, bytes: Uint8Array, start: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, start + done)
    if (bytesWritten === 0) throw new Error('The disk took no bytes and gave no reason.')
    done += bytesWritten
  }
}
