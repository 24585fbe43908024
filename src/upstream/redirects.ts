/** Redirects, followed by hand: what was meant for the upstream alone never reaches another host. */
import { wrong } from './failure.ts'
import type { Send, UpstreamRequest, UpstreamResponse } from './send.ts'

const redirects = new Set([301, 302, 303, 307, 308])
const mostHops = 5

/** Headers that may be sent to a host that upstream names; everything else stays with the upstream. */
const headersForOthers = new Set(['accept', 'range', 'user-agent'])

export interface Followed {
  response: UpstreamResponse
  /** Who gave the response in the end. */
  url: URL
}

/**
 * GET or HEAD only. `stay`: a redirect to another origin is not followed, and returned as the answer.
 * @throws UpstreamError `wrong` for a redirect that leads nowhere, in circles, to plaintext, or carries userinfo
 */
export async function sendAndFollow(
  upstream: string,
  send: Send,
  request: UpstreamRequest,
  rule: 'follow' | 'stay',
): Promise<Followed> {
  let { url, headers } = request
  for (let hops = 0; ; hops += 1) {
    const response = await send({ ...request, url, headers })
    if (!redirects.has(response.status)) return { response, url }
    const next = nextUrl(response, url)
    const leaves = typeof next !== 'string' && next.origin !== url.origin
    if (rule === 'stay' && (leaves || response.status === 303)) return { response, url }
    response.discard()
    if (typeof next === 'string') throw wrong(upstream, `${upstream} (${url.host}) redirects ${next}.`)
    if (hops === mostHops) throw wrong(upstream, `${upstream} redirects more than ${mostHops} times.`)
    if (leaves) headers = forOthers(headers)
    url = next
  }
}

function nextUrl(response: UpstreamResponse, from: URL): URL | string {
  const [location] = response.header('location')
  const next = location === undefined ? null : URL.parse(location, from)
  if (!next) return 'without a Location that can be read'
  if (next.protocol !== 'https:' && next.protocol !== 'http:') return 'to something that is not HTTP'
  if (from.protocol === 'https:' && next.protocol !== 'https:') return 'from https to plaintext'
  if (next.username !== '' || next.password !== '') return 'to an address that carries a user name'
  next.hash = ''
  return next
}

function forOthers(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => headersForOthers.has(name)))
}
