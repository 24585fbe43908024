/** Where an upstream's credentials come from: the configuration first, then what the user's own tools know. */
import type { RepositoryName } from '../oci/name.ts'
import type { Credential, CredentialSource } from './credential.ts'
import type { Secret } from '../oci/secret.ts'
import type { DockerCredentials } from './docker-config.ts'

interface ConfiguredCredential {
  /** The repositories it is for: a name or its leading components (`team`, `team/app`); all where it is absent or empty. */
  prefix?: string
  /** Empty where only an identity token is known. */
  username: string
  password?: Secret
  identityToken?: Secret
}

export interface CredentialsOptions {
  /** The upstream's name, which is also the host that the user's tools know it by. */
  upstream: string
  configured: readonly ConfiguredCredential[]
  docker?: DockerCredentials
}

export function createCredentials({ upstream, configured, docker }: CredentialsOptions): CredentialSource {
  const known = configured
    .map((login) => ({ prefix: login.prefix ?? '', credential: toCredential(login) }))
    .toSorted((one, other) => other.prefix.length - one.prefix.length)
  return async (repository) => {
    const found = known.find(({ prefix }) => covers(prefix, repository))
    return found ? found.credential : docker?.(upstream, repository)
  }
}

function toCredential({ username, password, identityToken }: ConfiguredCredential): Credential {
  return { identity: `config:${username === '' ? '<token>' : username}`, username, password, identityToken }
}

function covers(prefix: string, repository: RepositoryName): boolean {
  return prefix === '' || repository === prefix || repository.startsWith(`${prefix}/`)
}
