/** Passwords and tokens of the configuration: where they come from. */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import { type Secret, secret } from '../oci/secret.ts'
import { whyUnreadable } from './problem.ts'

/** What the file says: the text itself, a file that holds it, or a variable that does. */
export type SecretSource = string | { file: string } | { env: string }

export interface SecretPlaces {
  env: NodeJS.ProcessEnv
  /** Makes a path of the configuration absolute. */
  path: (text: string) => string
}

const largestSecret = 64 * 1024

/** @throws Error with a sentence that says what to do, never with the secret */
export function resolveSecret(source: SecretSource, places: SecretPlaces): Secret {
  const text = secretText(source, places)
  if (text === '') throw new Error('is empty')
  // A header or a form could not carry it.
  if (/\p{Cc}/u.test(text)) throw new Error('holds a line break or another control character')
  return secret(text)
}

/** Reads a file that others must not read. One line break at its end is not part of the secret. */
export function readSecretFile(path: string, env: NodeJS.ProcessEnv): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = fstatSync(file)
    if (!stats.isFile()) throw new Error(`is read from ${path}, which is no file`)
    if (stats.size > largestSecret) throw new Error(`is read from ${path}, which is larger than 64 KiB`)
    const exposure = exposureOf(path, stats, env)
    if (exposure) throw new Error(exposure)
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}

/**
 * Why a file with this mode and owner is no place for a secret; `undefined` = it is. Files of systemd's LoadCredential= are:
 * their folder is ours alone, and their access list shows as group bits.
 */
export function exposureOf(
  path: string,
  stats: Pick<Stats, 'uid' | 'mode'>,
  env: NodeJS.ProcessEnv,
): string | undefined {
  if (env.CREDENTIALS_DIRECTORY !== undefined && dirname(path) === env.CREDENTIALS_DIRECTORY) return undefined
  const self = process.getuid?.()
  if (self === undefined) return undefined
  if (stats.uid !== self && stats.uid !== 0)
    return `is kept in ${path}, which belongs to another user: chown ${self} ${path}`
  if ((stats.mode & 0o077) !== 0) return `is kept in ${path}, which other users can read: chmod 600 ${path}`
  return undefined
}

function secretText(source: SecretSource, { env, path }: SecretPlaces): string {
  if (typeof source === 'string') return source
  if ('file' in source) return readable(path(source.file), env).replace(/\r?\n$/, '')
  const text = env[source.env]
  if (text === undefined) throw new Error(`is read from the variable ${source.env}, which is not set`)
  return text
}

function readable(path: string, env: NodeJS.ProcessEnv): string {
  try {
    return readSecretFile(path, env)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    throw new Error(`is read from ${path}, which ${whyUnreadable(error)}`, { cause: error })
  }
}
