/** The client side of the distribution API, as `proxied` sees it. */
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Reference, RepositoryName, Tag } from '../oci/name.ts'

/** Who we are to an upstream for one repository: `anonymous`, or where the credential was found and its user name; never the secret. */
export type CredentialIdentity = string

/** A blob's bytes on their way. `body` yields chunks as they come, ends early or throws on a broken transfer; size and digest are the caller's to check. */
export interface Transfer {
  /** Bytes of the whole blob, where upstream says it; of the whole also for a resumed transfer. */
  size: number | undefined
  /** Where `body` starts: 0 when the server ignored the Range, else the offset that was asked for. */
  from: number
  /** Each chunk is its reader's only until it asks for the next one. */
  body: AsyncIterable<Uint8Array>
  /** Stops the transfer and closes its connection. Idempotent. */
  abort(): void
}

export interface CallOptions {
  /** ms that all attempts together may take until the headers are in; default 20,000. */
  within?: number
  /** Aborts the call while it is pending; a transfer that has begun is ended by its `abort`. */
  signal?: AbortSignal
}

/**
 * One remote registry. `undefined` = upstream said 404. Everything else that is no answer is an UpstreamError whose `trouble`
 * picks the row of the freshness table. Calls are retried, rationed and joined with others' tokens inside.
 */
export interface Upstream {
  /** The host as clients know it: `docker.io`, `reg.example:5000`. */
  readonly name: string
  /** Which credential this upstream is asked with for a repository; starts no call to the upstream. */
  credentialIdentity(repository: RepositoryName): Promise<CredentialIdentity>
  /** `digest` is absent where upstream's HEAD does not tell it (then only a GET can). */
  headManifest(
    repository: RepositoryName,
    reference: Reference,
    options?: CallOptions,
  ): Promise<{ digest: Digest | undefined } | undefined>
  /**
   * The bytes as sent (at most 4 MiB), the Content-Type without parameters, and upstream's Docker-Content-Digest where it sends
   * one: a hint that must agree with the bytes. The digest is the caller's to check.
   */
  getManifest(
    repository: RepositoryName,
    reference: Reference,
    options?: CallOptions,
  ): Promise<{ bytes: Uint8Array; mediaType: string; digest: Digest | undefined } | undefined>
  headBlob(
    repository: RepositoryName,
    digest: Digest,
    options?: CallOptions,
  ): Promise<{ size: number | undefined } | undefined>
  /** Settles when the headers are in. `from` > 0 asks for the rest by Range. */
  getBlob(
    repository: RepositoryName,
    digest: Digest,
    options?: CallOptions & { from?: number },
  ): Promise<Transfer | undefined>
  /** The complete list, all pages, deduplicated, in ASCII order. */
  tags(repository: RepositoryName, options?: CallOptions): Promise<Tag[] | undefined>
  /** All pages. `undefined`: this upstream has no referrers API (303, 400, 404, 405, 406 or a wrong media type). */
  referrers(repository: RepositoryName, subject: Digest, options?: CallOptions): Promise<Descriptor[] | undefined>
  /** Ends all connections. */
  close(): Promise<void>
}
