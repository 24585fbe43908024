/** Which token servers may see an upstream's credentials: the realm rules of docs/architecture.md. */

/** Why a realm is not used: a sentence for the operator, and the host that `tokenRealms` would have to name, where that would help. */
export interface RefusedRealm {
  reason: string
  host?: string
}

const longestRealm = 2048

/**
 * https always; http only where the upstream itself is http at the same host and port. No user name, no fragment. The host and
 * port are the upstream's own or stand in `tokenRealms` (`host` means port 443), compared whole: no suffixes, no wildcards.
 */
export function checkRealm(realm: string, upstream: URL, tokenRealms: string[]): URL | RefusedRealm {
  if (realm.length > longestRealm || !URL.canParse(realm)) return { reason: 'its realm is no absolute URL' }
  const url = new URL(realm)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { reason: 'its realm is not https' }
  // `https://user@host` and even `https://@host` are ways to make a realm look like another one.
  if (url.username !== '' || url.password !== '' || /^[^/?#]*\/\/[^/?#]*@/.test(realm)) {
    return { reason: 'its realm carries a user name' }
  }
  if (realm.includes('#')) return { reason: 'its realm carries a fragment' }
  // The parser forgives backslashes, control characters and missing slashes; what two parsers can read differently is not used.
  if (!/^https?:\/\/[^/\\]/i.test(realm) || /[^\x21-\x7e]|\\/.test(realm)) return { reason: 'its realm is malformed' }
  const own = endpoint(url) === endpoint(upstream)
  if (url.protocol === 'http:' && !(own && upstream.protocol === 'http:')) {
    return { reason: `its realm is not https (${url.host})` }
  }
  if (own || tokenRealms.some((allowed) => endpointOf(allowed) === endpoint(url))) return url
  return { reason: `its token server ${url.host} is not one that it is known to use`, host: url.host }
}

/** `host:port`, the port always written. */
function endpoint({ hostname, port, protocol }: URL): string {
  const usual = protocol === 'https:' ? '443' : '80'
  return `${hostname}:${port === '' ? usual : port}`
}

function endpointOf(text: string): string | undefined {
  const url = `https://${text}`
  if (/[/?#@\\\s]/.test(text) || !URL.canParse(url)) return undefined
  return endpoint(new URL(url))
}

/**
 * The realm with our question in it. Its own query is kept, but for what is ours to say: a realm could otherwise ask for a
 * scope of its choice in our name.
 */
export function realmWith(realm: URL, question: Record<string, string | undefined>): URL {
  const url = new URL(realm)
  for (const name of oursToSay) {
    url.searchParams.delete(name)
  }
  for (const [name, value] of Object.entries(question)) {
    if (value !== undefined) url.searchParams.append(name, value)
  }
  return url
}

const oursToSay = [
  'scope',
  'service',
  'account',
  'client_id',
  'offline_token',
  'grant_type',
  'username',
  'password',
  'refresh_token',
  'access_type',
]
