/** `entrepot lock FILE`: writes down what each range of a list means, so that builds repeat until somebody moves them. */
import { loadConfig } from '../config/load.ts'
import type { Flags } from '../config/settings.ts'
import { type Asking, openAsking, requireTypedDirectory } from './asking.ts'
import { CommandError, exitCodes, printable } from './exit-code.ts'
import { homeFolder } from './home.ts'
import { type Locked, lockFileOf, readList, readLock, type Wanted, writeLock } from './lock-file.ts'
import { readRepository, type RepositoryReference } from './repository-reference.ts'
import { askRange } from './resolution.ts'

export interface LockFlags extends Flags {
  check?: boolean | undefined
  update?: string[] | undefined
}

/** All entries are found before anything is written: one that fails leaves the lock file as it is. */
export async function lock(file: string, flags: LockFlags): Promise<void> {
  const config = loadConfig({ flags, env: process.env, home: homeFolder() })
  const wanted = await readList(file)
  const repositories = new Map(
    [...wanted].map(([name, { repository }]) => [name, ofEntry(name, () => readRepository(repository, config))]),
  )
  const lockFile = lockFileOf(file)
  const before = await readLock(lockFile)
  const moving = namesToMove(wanted, before, flags.update)
  await requireTypedDirectory(config, flags)
  const asking = await openAsking(config, flags)
  let after: Map<string, Locked>
  try {
    after = await lockAll(asking, { wanted, repositories, before, moving })
  } finally {
    await asking.close()
  }
  const changes = changelog(before, after)
  process.stdout.write(changes.map((line) => `${line}\n`).join(''))
  if (!flags.check) return writeLock(lockFile, file, after)
  if (changes.length > 0) throw new CommandError(exitCodes.behind, `${lockFile} is behind: run entrepot lock ${file}.`)
}

/** @throws CommandError for a name that the list does not have */
function namesToMove(
  wanted: Map<string, Wanted>,
  before: Map<string, Locked>,
  update: string[] | undefined,
): Set<string> {
  if (update === undefined) return new Set(wanted.keys())
  const unknown = update.find((name) => !wanted.has(name))
  if (unknown !== undefined) {
    throw new CommandError(
      exitCodes.bad,
      `There is no ${unknown} in the list; it has: ${[...wanted.keys()].join(', ')}.`,
    )
  }
  return new Set([...update, ...[...wanted.keys()].filter((name) => !before.has(name))])
}

interface LockWork {
  wanted: Map<string, Wanted>
  repositories: Map<string, RepositoryReference>
  before: Map<string, Locked>
  /** The others stay as they are locked. */
  moving: Set<string>
}

const atOnce = 4

async function lockAll(
  asking: Asking,
  { wanted, repositories, before, moving }: LockWork,
): Promise<Map<string, Locked>> {
  const after = new Map<string, Locked>()
  const waiting = wanted.entries()
  const work = async () => {
    for (const [name, entry] of waiting) {
      const old = before.get(name)
      const repository = repositories.get(name)
      if (old && !moving.has(name)) after.set(name, old)
      else if (repository) after.set(name, await lockOne(asking, { name, entry, repository, old }))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return after
}

interface LockOne {
  name: string
  entry: Wanted
  repository: RepositoryReference
  old: Locked | undefined
}

async function lockOne(asking: Asking, { name, entry, repository, old }: LockOne): Promise<Locked> {
  const { range, profile } = entry
  const found = await askRange(asking, { repository, range, profile }).catch((error: unknown) =>
    ofEntry(name, () => {
      throw error
    }),
  )
  if (found.warning !== undefined) {
    process.stderr.write(`entrepot: warning: ${name}: ${printable(found.warning)}\n`)
    // What an outage prefers is for those who pull now. An entry that is good still does not move for it.
    if (old && isSameQuestion(old, entry) && found.candidates.includes(old.tag)) return old
  }
  const image = `${entry.repository}@${found.digest}`
  const isSame = old?.tag === found.tag && old.image === image
  const resolved = isSame ? old.resolved : new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  return { ...entry, tag: found.tag, image, resolved }
}

/** One line for each entry that is not what it was. */
function changelog(before: Map<string, Locked>, after: Map<string, Locked>): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted()
  return names.flatMap((name) => {
    const [old, now] = [before.get(name), after.get(name)]
    if (!now) return [`${name}: ${old?.tag ?? ''} is not in the list any more`]
    if (!old) return [`${name}: ${now.tag}`]
    if (old.tag !== now.tag) return [`${name}: ${old.tag} -> ${now.tag}`]
    if (old.image !== now.image) return [`${name}: ${now.tag} was built anew`]
    return isSameQuestion(old, now) ? [] : [`${name}: ${now.tag}, now by ${now.range}`]
  })
}

function isSameQuestion(one: Wanted, other: Wanted): boolean {
  return one.repository === other.repository && one.range === other.range && one.profile === other.profile
}

/** Names the entry that an error is about. */
function ofEntry<T>(name: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof CommandError ? new CommandError(error.exitCode, `${name}: ${error.message}`) : error
  }
}
