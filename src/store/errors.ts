/** What stops a store from opening or going on; the commands turn these into exit codes (docs/errors.md). */

/** Who holds a data directory, as its holder file says. */
export interface Holder {
  pid: number
  /** ISO 8601. */
  startedAt: string
  /** The address that it listens on. */
  listen: string
}

/** Another process has the directory. Exit code 2. */
export class StoreLockedError extends Error {
  readonly directory: string
  readonly holder: Holder | undefined

  constructor(directory: string, holder: Holder | undefined, options?: ErrorOptions) {
    const who =
      holder === undefined
        ? 'another process'
        : `process ${holder.pid}, which runs since ${holder.startedAt} and listens on ${holder.listen}`
    super(`${directory} is in use by ${who}. Stop it first, or give this one another data directory.`, options)
    this.name = 'StoreLockedError'
    this.directory = directory
    this.holder = holder
  }
}

/** The data directory is not one that can be used; a sentence that says what to do. Exit code 1. */
export class UnusableDirectoryError extends Error {}

/** The disk takes no more: no space, no inodes, or a quota. Exit code 74 at the start. */
export class StoreFullError extends Error {
  readonly code = 'ENOSPC'

  constructor(path: string, options?: ErrorOptions) {
    super(`There is no space left on the disk of ${path}; free some, or lower maxSize.`, options)
    this.name = 'StoreFullError'
  }
}

/** The disk takes nothing at all. Exit code 74. */
export class StoreReadOnlyError extends Error {
  readonly code = 'EROFS'

  constructor(path: string, options?: ErrorOptions) {
    super(`${path} is on a read-only file system; the daemon has to write there, offline too.`, options)
    this.name = 'StoreReadOnlyError'
  }
}

/** The handle on the records is closed because of a write error, and could not be opened again yet. */
export class StoreUnavailableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreUnavailableError'
  }
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    typeof error.code === 'string' &&
    codes.includes(error.code)
  )
}

/** Whether a failed write says that the disk is full; LevelDB gives the system's sentence only, and no code for it. */
export function saysFull(error: unknown): boolean {
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) return true
  return error instanceof Error && /No space left on device|[Qq]uota exceeded/.test(error.message)
}
