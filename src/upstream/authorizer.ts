/** Who we are to one upstream: turns its challenges into Authorization headers and remembers what worked. */
import { LRUCache } from 'lru-cache'
import { UpstreamError } from '../oci/errors.ts'
import type { RepositoryName } from '../oci/name.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import { type Credential, type CredentialSource, sameSecrets } from './credential.ts'
import { checkRealm, type RefusedRealm } from './realm.ts'
import type { Send } from './send.ts'
import { basic } from './token.ts'
import { createTokenCache } from './token-cache.ts'
import type { CredentialIdentity } from './upstream.ts'

export interface Authorizer {
  /** Who we are for this repository; looks the credential up, never calls the upstream. */
  identity(repository: RepositoryName): Promise<CredentialIdentity>
  /**
   * The Authorization header that this repository is known to need; `undefined` = try anonymously first. Calls nobody but the
   * token server, and only to replace a token that has come to its end.
   * @throws UpstreamError
   */
  header(repository: RepositoryName, signal?: AbortSignal): Promise<string | undefined>
  /**
   * Answers a 401: its WWW-Authenticate lines and the Authorization header that was `sent` (`undefined` = none) -> the header to
   * retry with; `undefined` = there is none, the 401 stands. Joins a token request that is already in flight. If the retry is
   * refused too, one more answer, `sent` being the first one, may still help: a rotated credential, a wider scope.
   * @throws UpstreamError `denied`, `limited`, `unreachable` or `wrong`, as the token server is; `denied` where the only token
   * servers that are offered may not be asked
   */
  answer(
    challenges: string[],
    repository: RepositoryName,
    sent: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined>
}

export interface AuthorizerOptions {
  /** The upstream's name, for errors and warnings. */
  upstream: string
  /** Where the upstream really is. */
  url: URL
  /** Hosts (`host` or `host:port`, https only) besides the upstream's own that may see its credentials. */
  tokenRealms: string[]
  credentials: CredentialSource
  send: Send
  warn: (message: string) => void
  /** Monotonic milliseconds. */
  now?: () => number
  /** ms that a token request may take; default 10,000. */
  tokenWithin?: number
}

/** What a repository asked for, once its realm has been checked. */
type Demand = { scheme: 'basic' } | { scheme: 'bearer'; realm: URL; service: string | undefined; scope: string }

const mostDemands = 4096

export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const { upstream, credentials, send, warn, now = () => performance.now(), tokenWithin = 10_000 } = options
  const tokens = createTokenCache({ upstream, send, within: tokenWithin, warn: seldom(warn, now) }, now)
  const demands = new LRUCache<RepositoryName, Demand>({ max: mostDemands })
  const usableRealm = realmGate(options)

  async function headerFor(
    demand: Demand,
    credential: Credential | undefined,
    sent?: string,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    if (demand.scheme === 'basic') return credential && basic(credential)
    if (credential?.registryToken) return `Bearer ${credential.registryToken.reveal()}`
    const refused = sent?.startsWith('Bearer ') ? sent.slice('Bearer '.length) : undefined
    return `Bearer ${await tokens.get({ ...demand, credential }, refused, signal)}`
  }

  /** The credential as it is now, if it changed since `credential` was found. */
  async function rotated(credential: Credential | undefined, repository: RepositoryName) {
    credential?.refused?.()
    const found = await credentials(repository)
    return found && !(credential && sameSecrets(credential, found)) ? found : undefined
  }

  return {
    async identity(repository) {
      return (await credentials(repository))?.identity ?? 'anonymous'
    },

    async header(repository, signal) {
      const demand = demands.get(repository)
      if (!demand) return undefined
      try {
        return await headerFor(demand, await credentials(repository), undefined, signal)
      } catch (error) {
        demands.delete(repository)
        throw error
      }
    },

    async answer(lines, repository, sent, signal) {
      const credential = await credentials(repository)
      const demand = chooseDemand(parseChallenges(lines), { repository, credential, sent, usableRealm })
      if (!demand) return undefined
      if ('reason' in demand) throw unanswerable(upstream, demand)
      demands.set(repository, demand)
      const header = await headerFor(demand, credential, sent, signal).catch(deniedAsError)
      if (typeof header === 'string' && header !== sent) return header
      const other = await rotated(credential, repository)
      if (other) return headerFor(demand, other, sent, signal)
      if (header instanceof UpstreamError) throw header
      return undefined
    },
  }
}

/** A refused credential may have been rotated since; any other failure stands. */
function deniedAsError(error: unknown): UpstreamError {
  if (error instanceof UpstreamError && error.trouble === 'denied') return error
  throw error
}

interface Situation {
  repository: RepositoryName
  credential: Credential | undefined
  sent: string | undefined
  usableRealm: (realm: string) => URL | RefusedRealm
}

/**
 * Bearer before Basic, because a token tells less than a password; Basic only where there is a password to send. The realm that
 * was refused, where nothing else is left; `undefined` where nothing was offered that is known here.
 */
function chooseDemand(challenges: Challenge[], situation: Situation): Demand | RefusedRealm | undefined {
  const { repository, credential, sent, usableRealm } = situation
  let refused: RefusedRealm | undefined
  for (const { parameters } of challenges.filter(({ scheme }) => scheme === 'bearer')) {
    const realm = usableRealm(parameters.get('realm') ?? '')
    if (!(realm instanceof URL)) {
      refused ??= realm
      continue
    }
    const service = printable(parameters.get('service'))
    const scope = (sent?.startsWith('Bearer ') && widerScope(repository, parameters)) || `repository:${repository}:pull`
    return { scheme: 'bearer', realm, service, scope }
  }
  const basicOffered = challenges.some(({ scheme }) => scheme === 'basic')
  return basicOffered && credential?.password ? { scheme: 'basic' } : refused
}

/** What an upstream says that a token of ours lacked, where it names the same repository and nothing else. */
function widerScope(repository: RepositoryName, parameters: Map<string, string>): string | undefined {
  const scope = parameters.get('scope') ?? ''
  if (parameters.get('error') !== 'insufficient_scope' || scope.length > 512) return undefined
  const prefix = `repository:${repository}:`
  const actions = scope.startsWith(prefix) ? scope.slice(prefix.length) : ''
  return /^(?:[a-z0-9_-]+|\*)(?:,(?:[a-z0-9_-]+|\*))*$/.test(actions) ? scope : undefined
}

function printable(text: string | undefined): string | undefined {
  return text !== undefined && /^[\x20-\x7e]{1,512}$/.test(text) ? text : undefined
}

const mostWarnings = 16

/** Lets realms through that may see the upstream's credentials; of each other one the operator hears once. */
function realmGate({ upstream, url, tokenRealms, warn }: AuthorizerOptions): Situation['usableRealm'] {
  const warned = new Set<string>()
  return (realm) => {
    const checked = checkRealm(realm, url, tokenRealms)
    if (checked instanceof URL) return checked
    if (warned.has(checked.reason) || warned.size >= mostWarnings) return checked
    warned.add(checked.reason)
    warn(`a challenge of ${upstream} is not answered: ${withRemedy(upstream, checked)}`)
    return checked
  }
}

function withRemedy(upstream: string, { reason, host }: RefusedRealm): string {
  return host === undefined ? reason : `${reason}; if it belongs to ${upstream}, add ${host} to its \`tokenRealms\``
}

function unanswerable(upstream: string, refused: RefusedRealm): UpstreamError {
  const detail = `${upstream} answered 401, and its challenge is not answered: ${withRemedy(upstream, refused)}.`
  return new UpstreamError(upstream, 'denied', 'DENIED', detail)
}

const leastBetween = 60_000

/** Says the same thing once a minute at most. */
function seldom(warn: (message: string) => void, now: () => number): (message: string) => void {
  const said = new LRUCache<string, { at: number }>({ max: mostWarnings })
  return (message) => {
    const last = said.get(message)
    if (last && now() - last.at < leastBetween) return
    said.set(message, { at: now() })
    warn(message)
  }
}
