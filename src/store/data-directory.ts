/** The data directory on its disk: it is made where it is missing, and what cannot be one is refused with a sentence. */
import { constants, type Stats } from 'node:fs'
import { access, chmod, lstat, mkdir, readlink, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { requireOurs, syncDirectory } from './directory.ts'
import { hasCode, saysFull, StoreFullError, StoreReadOnlyError, UnusableDirectoryError } from './errors.ts'

/**
 * A symlink to the directory is followed where this user or root made it: systemd's StateDirectory is one. One that others can only
 * read is closed to them; one that they can write to is refused, since nobody knows who wrote what is in it.
 * @param data an absolute path
 * @returns the path without symlinks
 * @throws UnusableDirectoryError, StoreReadOnlyError, StoreFullError
 */
export async function dataDirectory(data: string): Promise<string> {
  try {
    await makeDirectories(data)
    return await safeDirectory(data)
  } catch (cause) {
    if (saysFull(cause)) throw new StoreFullError(data, { cause })
    if (hasCode(cause, 'EROFS')) throw new StoreReadOnlyError(data, { cause })
    if (hasCode(cause, 'ENAMETOOLONG')) {
      throw new UnusableDirectoryError(`${data} is longer than the file system takes; give another data directory.`)
    }
    if (!hasCode(cause, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM')) throw cause
    throw new UnusableDirectoryError(await obstacleOn(data, cause), { cause })
  }
}

/** One by one: Node's recursive mkdir tries for ever where a parent is there and takes no entry, as in /proc. */
async function makeDirectories(path: string): Promise<void> {
  try {
    await makeDirectory(path)
  } catch (error) {
    const parent = dirname(path)
    if (!hasCode(error, 'ENOENT') || parent === path || (await isThere(parent))) throw error
    await makeDirectories(parent)
    await makeDirectory(path)
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
    await syncDirectory(dirname(path))
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await found(lstat(path))) !== undefined
}

async function safeDirectory(data: string): Promise<string> {
  const link = await lstat(data)
  if (link.isSymbolicLink() && link.uid !== 0 && link.uid !== process.geteuid?.()) {
    throw new UnusableDirectoryError(`${data} is a symlink that user ${link.uid} made; give the directory itself.`)
  }
  const directory = await realpath(data)
  const facts = await stat(directory)
  if (!facts.isDirectory()) throw new UnusableDirectoryError(noDirectory(data))
  requireOurs(directory, facts)
  if ((facts.mode & 0o777) !== 0o700) await chmod(directory, 0o700)
  await access(directory, constants.W_OK)
  return directory
}

/** What is wrong with the first step of the path that nobody can go. */
async function obstacleOn(data: string, cause: unknown): Promise<string> {
  for (const step of stepsOf(data)) {
    try {
      const entry = await found(lstat(step))
      if (!entry) return `${step} cannot be made: ${whyNotMade(dirname(step), cause)}; give another data directory.`
      const target = await found(stat(step))
      if (!target) return `${step} leads to ${await readlink(step)}, which is not there: is the disk mounted?`
      if (!target.isDirectory()) return noDirectory(step)
    } catch (error) {
      if (hasCode(error, 'ELOOP')) return `${step} is a symlink that leads in a circle; give another data directory.`
      return `${step} cannot be reached: ${sentenceOf(error)}; give another data directory.`
    }
  }
  return `${data} cannot be used: ${sentenceOf(cause)}; give another data directory.`
}

function stepsOf(path: string): string[] {
  const parent = dirname(path)
  return parent === path ? [path] : [...stepsOf(parent), path]
}

function whyNotMade(parent: string, cause: unknown): string {
  return hasCode(cause, 'EACCES', 'EPERM') ? `this user may not write to ${parent}` : `${parent} takes no directories`
}

function noDirectory(path: string): string {
  return `${path} is not a directory; move it away, or give another data directory.`
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** `undefined` where nothing is there. */
async function found(looking: Promise<Stats>): Promise<Stats | undefined> {
  try {
    return await looking
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}
