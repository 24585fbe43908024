/**
 * One question to a token server, as the distribution project's token and OAuth2 pages define it
 * (https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/).
 */
import { UpstreamError } from '../oci/errors.ts'
import { untilAborted } from './abortable.ts'
import type { Credential } from './credential.ts'
import { inSeconds, timedOut } from './failure.ts'
import { parseObject } from './json-object.ts'
import { realmWith } from './realm.ts'
import { retryAfter } from './retry-after.ts'
import type { Send, UpstreamRequest, UpstreamResponse } from './send.ts'

export interface TokenQuestion {
  realm: URL
  service: string | undefined
  /** `repository:<name>:pull`; always ours, see `authorizer`. */
  scope: string
  credential: Credential | undefined
}

export interface Token {
  text: string
  /** Seconds, 60 to 3600. */
  lifetime: number
}

export interface TokenClient {
  /** For the sentences of errors. */
  upstream: string
  send: Send
  /** ms for the whole exchange, its body included. */
  within: number
  /** Hears which credential is refused; clients do not. */
  warn: (message: string) => void
}

const longestBody = 64 * 1024
const tokenPattern = /^[\x21-\x7e]{1,16384}$/
const shortestLifetime = 60
const longestLifetime = 3600
const clientId = 'entrepot'

/** Answers to a POST that mean "ask by GET": 404 by the spec, the others by what GCR, Artifactory and ACR do. */
const noSuchPost = new Set([400, 401, 404, 405])

/**
 * Asks by GET, with Basic where there is a password; an identity token is exchanged by POST, and where the server has no POST
 * the password is used instead, if there is one.
 * @throws UpstreamError `denied` (401, 403), `limited` (429), `unreachable` (5xx, no answer in time), `wrong` (anything else)
 */
export async function fetchToken(client: TokenClient, question: TokenQuestion): Promise<Token> {
  const signal = AbortSignal.timeout(client.within)
  try {
    return await untilAborted(exchange(client, question, signal), signal)
  } catch (error) {
    if (error instanceof UpstreamError) throw error
    const why = signal.aborted ? `did not answer within ${inSeconds(client.within)}` : 'could not be reached'
    const detail = sentence(client, question, why)
    if (signal.aborted) throw timedOut(client.upstream, detail, error)
    throw new UpstreamError(client.upstream, 'unreachable', 'UNAVAILABLE', detail, { status: 502, cause: error })
  }
}

async function exchange(client: TokenClient, question: TokenQuestion, signal: AbortSignal): Promise<Token> {
  const { credential } = question
  if (!credential?.identityToken) return readToken(client, question, await client.send(byGet(question, signal)))
  const response = await client.send(byPost(question, credential.identityToken.reveal(), signal))
  if (!credential.password || !noSuchPost.has(response.status)) return readToken(client, question, response)
  response.discard()
  return readToken(client, question, await client.send(byGet(question, signal)))
}

function byGet({ realm, service, scope, credential }: TokenQuestion, signal: AbortSignal): UpstreamRequest {
  const headers: Record<string, string> = { accept: 'application/json', 'accept-encoding': 'identity' }
  const authorization = credential && basic(credential)
  if (authorization) headers['authorization'] = authorization
  const account = authorization ? credential?.username : undefined
  return { method: 'GET', url: realmWith(realm, { account, service, scope }), headers, signal }
}

function byPost({ realm, service, scope }: TokenQuestion, refresh: string, signal: AbortSignal): UpstreamRequest {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: clientId, scope, refresh_token: refresh })
  if (service !== undefined) form.set('service', service)
  const headers = {
    accept: 'application/json',
    'accept-encoding': 'identity',
    'content-type': 'application/x-www-form-urlencoded',
  }
  return { method: 'POST', url: realmWith(realm, {}), headers, body: form.toString(), signal }
}

/** The Basic header (RFC 7617, in UTF-8); `undefined` without a password. */
export function basic({ username, password }: Credential): string | undefined {
  return password && `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString('base64')}`
}

async function readToken(client: TokenClient, question: TokenQuestion, response: UpstreamResponse): Promise<Token> {
  if (response.status !== 200) {
    response.discard()
    throw refusal(client, question, response)
  }
  const token = parseToken(await response.bytes(longestBody))
  if (token) return token
  throw new UpstreamError(
    client.upstream,
    'wrong',
    'UPSTREAM_INVALID',
    sentence(client, question, 'answered without a usable token'),
  )
}

/** `undefined` where the body is not JSON, or holds no token that could stand in a header. */
function parseToken(bytes: Uint8Array): Token | undefined {
  const body = parseObject(bytes)
  const text = [body?.['token'], body?.['access_token']].find((value) => typeof value === 'string' && value !== '')
  if (typeof text !== 'string' || !tokenPattern.test(text)) return undefined
  return { text, lifetime: lifetime(body?.['expires_in']) }
}

function lifetime(told: unknown): number {
  const seconds = typeof told === 'number' || typeof told === 'string' ? Number(told) : Number.NaN
  if (Number.isNaN(seconds)) return shortestLifetime
  return Math.min(Math.max(seconds, shortestLifetime), longestLifetime)
}

function refusal(client: TokenClient, question: TokenQuestion, response: UpstreamResponse): UpstreamError {
  const { status } = response
  const tell = (why: string) => sentence(client, question, why)
  const later = { retryAfter: retryAfter(response.header('retry-after')) }
  if (status === 401 || status === 403) {
    const { credential } = question
    if (credential) client.warn(tell(`refused the credential ${credential.identity} (${status})`))
    const who = credential ? 'our credential' : 'anonymous access'
    return new UpstreamError(client.upstream, 'denied', 'DENIED', tell(`refused ${who} (${status})`))
  }
  if (status === 429) {
    return new UpstreamError(client.upstream, 'limited', 'TOOMANYREQUESTS', tell('allows no more requests now'), later)
  }
  if (status >= 500) {
    return new UpstreamError(client.upstream, 'unreachable', 'UNAVAILABLE', tell(`answered ${status}`), later)
  }
  return new UpstreamError(client.upstream, 'wrong', 'UPSTREAM_INVALID', tell(`answered ${status}`))
}

function sentence({ upstream }: TokenClient, { realm }: TokenQuestion, why: string): string {
  return `the token server ${realm.host} of ${upstream} ${why}`
}
