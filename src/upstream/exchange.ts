/** One attempt at a request: with the Authorization that is known to be needed, through redirects, and once more after a 401. */
import type { RepositoryName } from '../oci/name.ts'
import type { Authorizer } from './authorizer.ts'
import { sendAndFollow } from './redirects.ts'
import type { Send, UpstreamResponse } from './send.ts'

export interface ExchangeOptions {
  upstream: string
  /** Where the upstream really is; other origins are asked only where it redirects to them. */
  url: URL
  authorizer: Authorizer
}

export interface Ask {
  repository: RepositoryName
  method: 'GET' | 'HEAD'
  url: URL
  headers: Record<string, string>
  send: Send
  signal: AbortSignal
  /** Whether redirects to other origins are followed. */
  redirects: 'follow' | 'stay'
}

export interface Answer {
  response: UpstreamResponse
  /** Who gave the answer, for sentences. */
  host: string
  /** Upstream itself, not a host that it redirected to: only its 404 says that something does not exist. */
  isOwn: boolean
}

export type Exchange = (ask: Ask) => Promise<Answer>

export function createExchange({ upstream, url: base, authorizer }: ExchangeOptions): Exchange {
  const once = async (ask: Ask, authorization: string | undefined): Promise<Answer> => {
    const { send, method, url, signal } = ask
    const headers = { ...ask.headers, ...(authorization === undefined ? {} : { authorization }) }
    const followed = await sendAndFollow(upstream, send, { method, url, headers, signal }, ask.redirects)
    const isOwn = followed.url.origin === base.origin
    return { response: followed.response, isOwn, host: isOwn ? upstream : followed.url.host }
  }

  return async (ask) => {
    const sent = await authorizer.header(ask.repository, ask.signal)
    const first = await once(ask, sent)
    if (first.response.status !== 401 || !first.isOwn) return first
    const challenges = first.response.header('www-authenticate')
    try {
      const authorization = await authorizer.answer(challenges, ask.repository, sent, ask.signal)
      if (authorization === undefined) return first
      first.response.discard()
      return await once(ask, authorization)
    } catch (error) {
      first.response.discard()
      throw error
    }
  }
}
