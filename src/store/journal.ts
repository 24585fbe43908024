/**
 * A file of entries that outlives the catalog: what cannot be fetched again is in it before it is answered. A line that does not check
 * is no entry. The first line names the file, so that a position in it is never taken for one in another.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { failpoint } from '../observe/failpoint.ts'
import { syncDirectory } from './directory.ts'
import { writeAll } from './write-all.ts'
import { hasCode } from './errors.ts'
import { lineOf, linesOf } from './journal-lines.ts'
import { dropSuccessor, openSuccessor, type SuccessorFile } from './journal-successor.ts'

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
  /** The entries from a position on, in order, each with the position after it; `to` is a position too, by default the end. */
  read(from: number, to?: number): AsyncIterable<{ entry: string; end: number }>
  /** Begins another file, which can take the place of this one; one at a time. */
  begin(): Promise<Successor>
  close(): Promise<void>
}

interface Successor extends Omit<SuccessorFile, 'takeName'> {
  /**
   * Takes the journal's place, durably when it settles; no append may be under way. The journal has another id and another end then.
   * @throws the system's error; where it has the place already, no append happens before it is durable
   */
  succeed(): Promise<void>
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
  await dropSuccessor(path)
  const found = await look(path)
  const isNew = found.id === undefined
  let { id, end } = found.id === undefined ? await beginAnew(path) : { id: found.id, end: found.end }
  let handle: FileHandle | undefined
  /** What must be mended before anything is written: bytes after `end`; a name that the directory may forget, as a crash leaves it. */
  let isDirty = !isNew && found.size > found.end
  let isNameless = !isNew

  async function opened(): Promise<FileHandle> {
    if (isNameless) await settleName()
    handle ??= await open(path, 'r+')
    if (!isDirty) return handle
    await handle.truncate(end)
    await handle.sync()
    isDirty = false
    return handle
  }

  async function settleName(): Promise<void> {
    failpoint('journal.naming')
    await syncDirectory(dirname(path))
    isNameless = false
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
    async *read(from, to = end) {
      for await (const line of linesOf(path, from, to)) {
        if (line.text !== undefined && line.start > 0) yield { entry: line.text, end: line.end }
      }
    },
    async begin() {
      const { takeName, ...file } = await openSuccessor(path)
      return {
        ...file,
        async succeed() {
          const next = await takeName()
          id = next.id
          end = next.end
          isNameless = true
          await distrust()
          isDirty = false
          await opened()
          failpoint('journal.succeeded')
        },
      }
    },
    async close() {
      await handle?.close()
      handle = undefined
    },
  }
  return { journal, isNew, damaged: found.damaged }
}

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

/** A file without entries. */
async function beginAnew(path: string): Promise<{ id: string; end: number }> {
  const first = await openSuccessor(path)
  try {
    const begun = await first.takeName()
    await syncDirectory(dirname(path))
    return begun
  } finally {
    await first.discard()
  }
}
