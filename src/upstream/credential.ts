/** What we know of who we are to an upstream. */
import type { RepositoryName } from '../oci/name.ts'
import type { Secret } from '../oci/secret.ts'
import type { CredentialIdentity } from './upstream.ts'

/** A credential as it was found. At least one of `password`, `identityToken` and `registryToken` is there. */
export interface Credential {
  identity: CredentialIdentity
  /** Empty where only a token is known. */
  username: string
  password?: Secret
  /** An OAuth2 refresh token: exchanged for access tokens by POST. */
  identityToken?: Secret
  /** A bearer token, sent to the upstream as it is. */
  registryToken?: Secret
  /** Says that the upstream refused it, so that the place it came from is asked anew (a helper may hold a rotated one). */
  refused?: () => void
}

/**
 * The credential for a repository of one upstream; `undefined` = we have none and go anonymously.
 * @throws UpstreamError `unreachable` where it could not be found out (a helper that fails, a file that cannot be read)
 */
export type CredentialSource = (repository: RepositoryName) => Promise<Credential | undefined>

/** Whether both would be the same to a server; tells a rotated credential from one that is still wrong. */
export function sameSecrets(one: Credential, other: Credential): boolean {
  return (
    one.username === other.username &&
    one.password?.reveal() === other.password?.reveal() &&
    one.identityToken?.reveal() === other.identityToken?.reveal() &&
    one.registryToken?.reveal() === other.registryToken?.reveal()
  )
}
