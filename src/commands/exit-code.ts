/** How a command ends: with a code that scripts can tell apart, and a sentence for whoever reads it (docs/errors.md). */
import { ConfigError } from '../config/problem.ts'
import { hasCode, StoreLockedError, UnusableDirectoryError } from '../store/errors.ts'

/** A sentence for the user, and the exit code that goes with it. */
export class CommandError extends Error {
  readonly exitCode: number
  constructor(exitCode: number, sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.exitCode = exitCode
  }
}

export const exitCodes = {
  /** Arguments, configuration, a file of the user's. */
  bad: 1,
  /** The data directory is held by another process. */
  held: 2,
  /** The lock file is behind its list. */
  behind: 3,
  /** No tag matches the range. */
  unmatched: 4,
  /** Some of it was left out. */
  incomplete: 5,
  /** It could not be found out. */
  unavailable: 69,
  /** Our own fault. */
  fault: 70,
  disk: 74,
} as const

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode
  if (error instanceof ConfigError || error instanceof UnusableDirectoryError) return exitCodes.bad
  if (hasCode(error, 'EACCES', 'EPERM')) return exitCodes.bad
  if (error instanceof StoreLockedError) return exitCodes.held
  return hasCode(error, 'ENOSPC', 'EDQUOT', 'EIO', 'EROFS') ? exitCodes.disk : exitCodes.fault
}

/** For terminals, which take control characters for commands; some of what we say comes from elsewhere. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => (character === '\n' ? character : '\ufffd'))
}

/** What the user can mend is said in a sentence; what may be our own fault comes with its stack. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return exitCodeOf(error) === exitCodes.fault ? (error.stack ?? error.message) : error.message
}
