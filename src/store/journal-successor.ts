/** The file that is to take a journal's place: written beside it, at flat memory, and nothing until it is renamed. */
import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { failpoint } from '../observe/failpoint.ts'
import { lineOf } from './journal-lines.ts'

export interface SuccessorFile {
  /** @param entries have no line breaks */
  add(entries: AsyncIterable<string> | Iterable<string>): Promise<void>
  /** Makes durable what was added so far. */
  sync(): Promise<void>
  /** Durable, and under the journal's name, which the directory may still forget. */
  takeName: () => Promise<{ id: string; end: number }>
  /** Nothing of it stays, unless it has the name already. */
  discard(): Promise<void>
}

/** Characters that are written at once. */
const part = 256 * 1024

/** @param path of the journal */
export async function openSuccessor(path: string): Promise<SuccessorFile> {
  const id = randomBytes(16).toString('hex')
  const temporary = newPath(path)
  const file = await open(temporary, 'w', 0o600)
  let waiting = lineOf(id)
  let end = 0
  let isOver = false

  async function write(): Promise<void> {
    const bytes = Buffer.from(waiting)
    waiting = ''
    await file.writeFile(bytes)
    end += bytes.length
  }

  async function sync(): Promise<void> {
    failpoint('journal.new-writing')
    await write()
    failpoint('journal.new-written')
    await file.sync()
    failpoint('journal.new-synced')
  }

  return {
    sync,
    async add(entries) {
      for await (const entry of entries) {
        waiting += lineOf(entry)
        if (waiting.length >= part) await write()
      }
    },
    async takeName() {
      await sync()
      await file.close()
      await rename(temporary, path)
      isOver = true
      return { id, end }
    },
    async discard() {
      if (isOver) return
      isOver = true
      await file.close().catch(() => {})
      await rm(temporary, { force: true })
    },
  }
}

/** Deletes what a crash left of one. */
export async function dropSuccessor(path: string): Promise<void> {
  await rm(newPath(path), { force: true })
}

function newPath(path: string): string {
  return `${path}.new`
}
