/** Tokens in memory, and one request in flight for each. */
import { LRUCache } from 'lru-cache'
import { UpstreamError } from '../oci/errors.ts'
import { untilAborted } from './abortable.ts'
import { fetchToken, type TokenClient, type TokenQuestion } from './token.ts'

export interface TokenCache {
  /**
   * A token that is good for a while yet: kept, in flight, or fetched now. Aborting gives up the waiting only.
   * @param refused a token that the upstream refused; never returned unless the token server gives it out again
   * @throws UpstreamError as `fetchToken` does; `limited` without a request while the server's Retry-After lasts
   */
  get(question: TokenQuestion, refused: string | undefined, signal: AbortSignal | undefined): Promise<string>
}

interface KeptToken {
  text: string
  /** From then on it is replaced before it is used again. */
  staleAt: number
}

const mostTokens = 512
const longestMargin = 30_000
/** s, where a 429 gives no Retry-After. */
const usualPause = 60

export function createTokenCache(client: TokenClient, now: () => number): TokenCache {
  const kept = new LRUCache<string, KeptToken>({ max: mostTokens })
  const inFlight = new Map<string, Promise<string>>()
  const pauses = new LRUCache<string, { until: number }>({ max: 16 })

  async function fetchAndKeep(key: string, question: TokenQuestion): Promise<string> {
    const askedAt = now()
    const { text, lifetime } = await fetchToken(client, question)
    const ms = lifetime * 1000
    kept.set(key, { text, staleAt: askedAt + ms - Math.min(ms / 4, longestMargin) })
    return text
  }

  async function ask(key: string, question: TokenQuestion): Promise<string> {
    const realm = question.realm.host
    const seconds = Math.ceil(((pauses.get(realm)?.until ?? 0) - now()) / 1000)
    if (seconds > 0) throw stillLimited(client.upstream, realm, seconds)
    try {
      return await fetchAndKeep(key, question)
    } catch (error) {
      if (error instanceof UpstreamError && error.trouble === 'limited') {
        pauses.set(realm, { until: now() + (error.retryAfter ?? usualPause) * 1000 })
      }
      throw error
    }
  }

  function start(key: string, question: TokenQuestion): Promise<string> {
    const asked = ask(key, question).finally(() => inFlight.delete(key))
    inFlight.set(key, asked)
    return asked
  }

  return {
    async get(question, refused, signal) {
      const key = keyOf(question)
      const known = kept.get(key)
      if (known && known.text !== refused && now() < known.staleAt) return known.text
      kept.delete(key)
      const asked = inFlight.get(key) ?? start(key, question)
      return signal ? untilAborted(asked, signal) : asked
    },
  }
}

/** The credential's identity stands for the credential: a rotated secret is the same one, two users never are. */
function keyOf({ realm, service, scope, credential }: TokenQuestion): string {
  return JSON.stringify([realm.href, service ?? null, scope, credential?.identity ?? null])
}

function stillLimited(upstream: string, realm: string, seconds: number): UpstreamError {
  const detail = `the token server ${realm} of ${upstream} allows no more requests for ${seconds} s`
  return new UpstreamError(upstream, 'limited', 'TOOMANYREQUESTS', detail, { retryAfter: seconds })
}
