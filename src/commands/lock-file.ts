/**
 * The two files of `entrepot lock`: the list that people write, and the lock file beside it, one line an entry, so that the difference of
 * two lock files reads as a changelog.
 */
import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { Document, visit } from 'yaml'
import { z } from 'zod'
import { hasCode } from '../store/errors.ts'
import { profiles } from '../version/profile.ts'
import { readEntries } from './entries.ts'
import { CommandError, exitCodes } from './exit-code.ts'

export interface Wanted {
  repository: string
  range: string
  profile?: string | undefined
}

export interface Locked extends Wanted {
  tag: string
  /** `<repository>@<digest>`, to be pulled as it is. */
  image: string
  /** When this tag and digest were first found, ISO 8601 in whole seconds. */
  resolved: string
}

const profile = z
  .enum(profiles, { error: ({ input }) => `${JSON.stringify(input)} is no profile: there are ${profiles.join(', ')}` })
  .optional()
const range = z.string({ error: 'a range is missing' }).min(1, 'a range is missing')
const wanted = z.preprocess(
  (entry) => (typeof entry === 'string' ? { range: entry } : entry),
  z.strictObject(
    { repository: z.string().optional(), range, profile },
    { error: 'an entry is a range, or { repository, range, profile }; quotes keep a comma in a range' },
  ),
)
const locked = z.strictObject({
  tag: z.string(),
  range,
  profile,
  resolved: z.iso.datetime(),
  image: z.string().regex(/^.+@(?:sha256|sha512):[0-9a-f]+$/, 'a repository and a digest are expected'),
})

/** @returns by name, in the file's order @throws CommandError with the line of what is wrong */
export async function readList(file: string): Promise<Map<string, Wanted>> {
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw unreadable(file, cause)
  })
  const help = 'A list has one line NAME: RANGE for each repository.'
  const entries = readEntries({ file, content, entry: wanted, help })
  if (entries.size === 0) throw new CommandError(exitCodes.bad, `${file} is empty. ${help}`)
  return new Map([...entries].map(([name, entry]) => [name, { ...entry, repository: entry.repository ?? name }]))
}

/** `versions.yaml` -> `versions.lock.yaml`. */
export function lockFileOf(file: string): string {
  return `${file.replace(/\.ya?ml$/, '')}.lock.yaml`
}

/** @returns by name; empty where there is no lock file yet */
export async function readLock(lockFile: string): Promise<Map<string, Locked>> {
  const content = await readFile(lockFile, 'utf8').catch((cause: unknown) => {
    if (hasCode(cause, 'ENOENT')) return ''
    throw unreadable(lockFile, cause)
  })
  const help = 'This is no lock file: restore it, or delete it and lock again.'
  const entries = readEntries({ file: lockFile, content, entry: locked, help })
  return new Map(
    [...entries].map(([name, entry]) => [
      name,
      { ...entry, repository: entry.image.slice(0, entry.image.lastIndexOf('@')) },
    ]),
  )
}

/** Replaces the file as a whole, or not at all; whoever may read the list may read its lock. */
export async function writeLock(lockFile: string, list: string, entries: Map<string, Locked>): Promise<void> {
  // The name cannot be foreseen and must be new: a link that waits there would lead the bytes elsewhere.
  const part = `${lockFile}.${randomBytes(8).toString('hex')}`
  try {
    const { mode } = await stat(list)
    const handle = await open(part, 'wx', 0o600)
    try {
      await handle.writeFile(renderLock(list, entries))
      await handle.chmod(mode & 0o666)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(part, lockFile)
  } catch (cause) {
    if (!hasCode(cause, 'EEXIST')) await rm(part, { force: true })
    throw new CommandError(exitCodes.bad, `${lockFile} cannot be written: ${reasonOf(cause)}`, { cause })
  }
}

function unreadable(file: string, cause: unknown): CommandError {
  return new CommandError(exitCodes.bad, `${file} cannot be read: ${reasonOf(cause)}`, { cause })
}

function renderLock(list: string, entries: Map<string, Locked>): string {
  const sorted = [...entries].toSorted(([one], [other]) => (one < other ? -1 : 1))
  const facts = sorted.map(([name, { tag, range: asked, profile: by, resolved, image }]) => {
    const entry = { tag, range: asked, ...(by !== undefined && { profile: by }), resolved, image }
    return [name, entry] as const
  })
  const document = new Document(new Map(facts))
  visit(document, { Map: (_key, map, { length }) => void (map.flow = length > 1) })
  return `# Written by "entrepot lock ${basename(list)}"; do not edit.\n${document.toString({ lineWidth: 0 })}`
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
