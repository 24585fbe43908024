/** Directories that are ours alone: mode 0700, owned by this user, no symlink; and how their entries become durable. */
import { lstat, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasCode, UnusableDirectoryError } from './errors.ts'

/**
 * Makes the directory, durably, where it is missing; its parent must exist.
 * @returns whether it was made by this call.
 * @throws where something else stands at the path: a symlink, a file, a directory of another user or one that others can write to.
 */
export async function ownDirectory(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 })
    await syncDirectory(dirname(path))
    return true
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
  const found = await lstat(path)
  if (!found.isDirectory())
    throw new UnusableDirectoryError(`${path} is not a directory; move it away and start again.`)
  requireOurs(path, found)
  return false
}

/** @throws a sentence for the operator where another user owns the path or can change what is in it. */
export function requireOurs(path: string, found: { uid: number; mode: number }): void {
  const user = process.geteuid?.()
  if (user !== undefined && found.uid !== user) {
    throw new UnusableDirectoryError(
      `${path} belongs to user ${found.uid}, but this process runs as user ${user}; change its owner.`,
    )
  }
  if ((found.mode & 0o022) !== 0) {
    throw new UnusableDirectoryError(
      `${path} can be changed by other users; look at what is in it, then run: chmod 0700 ${path}`,
    )
  }
}

/** Makes renames into, and new entries of, the directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
