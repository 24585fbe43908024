/** The credentials of one upstream: a general one, and those for some of its repositories. */
import type { Secret } from '../oci/secret.ts'
import { attempt, type KeyPath, type Report } from './problem.ts'
import type { UpstreamSettings } from './schema.ts'
import { resolveSecret, type SecretPlaces, type SecretSource } from './secret.ts'

export interface UpstreamCredential {
  /** A repository's name or its leading components; empty for all. */
  prefix: string
  /** Empty where only an identity token is known. */
  username: string
  password?: Secret
  identityToken?: Secret
}

interface CredentialContext {
  places: SecretPlaces
  report: Report
}

/** The most specific first. */
export function readCredentials(own: UpstreamSettings, context: CredentialContext): UpstreamCredential[] {
  const { username, password, identityToken } = own
  const general = [username, password, identityToken].some((part) => part !== undefined)
  const prefixes = new Set<string>()
  const found = own.credentials.map((entry, index) => {
    if (prefixes.has(entry.prefix)) context.report(['credentials', index, 'prefix'], 'stands here for the second time')
    prefixes.add(entry.prefix)
    return readCredential(entry, ['credentials', index], context)
  })
  if (general) found.push(readCredential({ prefix: '', username, password, identityToken }, [], context))
  return found.toSorted((one, other) => other.prefix.length - one.prefix.length)
}

interface CredentialSettings {
  prefix: string
  username?: string | undefined
  password?: SecretSource | undefined
  identityToken?: SecretSource | undefined
}

function readCredential(
  entry: CredentialSettings,
  at: KeyPath,
  { places, report }: CredentialContext,
): UpstreamCredential {
  const { prefix, username, password, identityToken } = entry
  if (username === undefined && password !== undefined) report([...at, 'password'], 'needs a username')
  if (password === undefined && identityToken === undefined)
    report(at, 'has a username, but neither password nor identityToken')
  const read = (key: string, source: SecretSource) => attempt(() => resolveSecret(source, places), [...at, key], report)
  const [passwordRead, tokenRead] = [
    password && read('password', password),
    identityToken && read('identityToken', identityToken),
  ]
  return {
    prefix,
    username: username ?? '',
    ...(passwordRead ? { password: passwordRead } : {}),
    ...(tokenRead ? { identityToken: tokenRead } : {}),
  }
}
