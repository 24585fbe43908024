/**
 * The two files of `entrepot lock`: the list that people write, and the lock file beside it, one line an entry, so that the difference of
 * two lock files reads as a changelog.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { Document, isNode, LineCounter, parseDocument, visit } from 'yaml'
import { z } from 'zod'
import { hasCode } from '../store/errors.ts'
import { profiles } from '../version/profile.ts'
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

const text = z.string({
  error: ({ input }) =>
    typeof input === 'number' ? `${input} is a number in YAML: put the range in quotes` : 'a text is expected',
})
const listSchema = z.record(
  text,
  z.union([text, z.strictObject({ repository: text.optional(), range: text, profile: z.enum(profiles).optional() })], {
    error: ({ input }) =>
      typeof input === 'number'
        ? `${input} is a number in YAML: put the range in quotes`
        : 'a range is expected, or { repository, range, profile }',
  }),
)
const lockSchema = z.record(
  text,
  z.strictObject({
    tag: text,
    range: text,
    profile: z.enum(profiles).optional(),
    resolved: z.iso.datetime(),
    image: z.string().regex(/^.+@(?:sha256|sha512):[0-9a-f]+$/, 'a repository and a digest are expected'),
  }),
)

/** @returns by name, in the file's order @throws CommandError with the line of what is wrong */
export async function readList(file: string): Promise<Map<string, Wanted>> {
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CommandError(exitCodes.bad, `${file} cannot be read: ${reasonOf(cause)}`, { cause })
  })
  const list = parse(file, content, listSchema)
  return new Map(
    Object.entries(list).map(([name, entry]) => [
      name,
      typeof entry === 'string'
        ? { repository: name, range: entry }
        : { ...entry, repository: entry.repository ?? name },
    ]),
  )
}

/** `versions.yaml` -> `versions.lock.yaml`. */
export function lockFileOf(file: string): string {
  return `${file.replace(/\.ya?ml$/, '')}.lock.yaml`
}

/** @returns by name; empty where there is no lock file yet */
export async function readLock(lockFile: string): Promise<Map<string, Locked>> {
  try {
    const lock = parse(lockFile, await readFile(lockFile, 'utf8'), lockSchema)
    return new Map(
      Object.entries(lock).map(([name, entry]) => [
        name,
        { ...entry, repository: entry.image.slice(0, entry.image.lastIndexOf('@')) },
      ]),
    )
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return new Map()
    throw error
  }
}

/** Replaces the file as a whole, or not at all. */
export async function writeLock(lockFile: string, list: string, locked: Map<string, Locked>): Promise<void> {
  const part = `${lockFile}.part`
  try {
    await writeFile(part, renderLock(list, locked))
    await rename(part, lockFile)
  } catch (cause) {
    await rm(part, { force: true })
    throw new CommandError(exitCodes.bad, `${lockFile} cannot be written: ${reasonOf(cause)}`, { cause })
  }
}

function renderLock(list: string, locked: Map<string, Locked>): string {
  const sorted = [...locked].toSorted(([one], [other]) => (one < other ? -1 : 1))
  const document = new Document(
    Object.fromEntries(
      sorted.map(([name, { tag, range, profile, resolved, image }]) => [
        name,
        { tag, range, ...(profile !== undefined && { profile }), resolved, image },
      ]),
    ),
  )
  visit(document, { Map: (_key, map, { length }) => void (map.flow = length > 1) })
  return `# Written by "entrepot lock ${basename(list)}"; do not edit.\n${document.toString({ lineWidth: 0 })}`
}

function parse<T>(file: string, content: string, schema: z.ZodType<T>): T {
  const lineCounter = new LineCounter()
  const document = parseDocument(content, { lineCounter, prettyErrors: false })
  const refuse = (offset: number, reason: string) =>
    new CommandError(exitCodes.bad, `${file}:${lineCounter.linePos(offset).line}: ${reason}`)
  const [error] = document.errors
  if (error) throw refuse(error.pos[0], error.message)
  const result = schema.safeParse(document.toJS({ maxAliasCount: 0 }) ?? {})
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = issue?.path.map(String) ?? []
  const node = document.getIn(path, true)
  const offset = isNode(node) ? (node.range?.[0] ?? 0) : 0
  throw refuse(offset, `${path.join('.')}: ${issue?.message ?? 'is not understood'}`)
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
