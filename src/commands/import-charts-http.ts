/**
 * GET over HTTP for `entrepot import-charts`: by node:http itself, and not by the guarded connector of the room upstream, since the operator
 * names the address, which may well be private, and nobody else can have anything fetched.
 */
import { once } from 'node:events'
import { Agent as HttpAgent, type IncomingMessage, request as plainRequest } from 'node:http'
import { Agent as HttpsAgent, request as tlsRequest } from 'node:https'
import { setTimeout } from 'node:timers/promises'
import { getCACertificates } from 'node:tls'
import { SourceError } from '../charts/ports.ts'
import type { Secret } from '../oci/secret.ts'
import { failureOf, isWorthRetrying } from '../upstream/failure.ts'
import { retryAfter } from '../upstream/retry-after.ts'

export interface HttpOptions {
  /** The only origin that is sent the credentials. */
  origin: string
  credentials?: { username: string; password: Secret } | undefined
  /** PEM certificates that are trusted beside the system's. */
  ca?: string | undefined
  /** Once it is aborted nothing is tried again. */
  signal: AbortSignal
  /** ms before each further attempt. */
  pauses?: readonly number[]
  /** ms without a byte. */
  stalledAfter?: number
}

export interface Http {
  /**
   * @param most bytes
   * @param receive takes the whole body, anew in each attempt
   * @throws SourceError
   */
  get<T>(url: URL, most: number, receive: (bytes: AsyncIterable<Uint8Array>) => Promise<T>): Promise<T>
  close(): void
}

const redirects = new Set([301, 302, 303, 307, 308])
const mostHops = 5
/** ms: what a repository may have us wait, and what one file may take. */
const longestPause = 60_000
const longestTransfer = 30 * 60_000

export function createHttp(options: HttpOptions): Http {
  const { pauses = [500, 2_000, 5_000], signal } = options
  const agents = createAgents(options.ca)
  const attempt: Http['get'] = async (start, most, receive) => {
    const total = AbortSignal.timeout(longestTransfer)
    let url = start
    for (let hops = 0; hops <= mostHops; hops += 1) {
      const response = await open(url, total, agents, options)
      if (response.statusCode === 200) return receive(bounded(response, url, most))
      response.destroy()
      if (!redirects.has(response.statusCode ?? 0)) throw refusal(response, url)
      url = nextUrl(response, url)
    }
    throw new SourceError('refused', `${shown(start)} redirects more than ${mostHops} times`)
  }
  return {
    async get(url, most, receive) {
      for (const pause of [...pauses, undefined]) {
        try {
          return await attempt(url, most, receive)
        } catch (error) {
          const isFinal =
            pause === undefined || signal.aborted || !(error instanceof SourceError) || error.kind !== 'silent'
          if (isFinal) throw error
          const asked = error.after === undefined ? pause : Math.min(error.after * 1_000, longestPause)
          await setTimeout(asked, undefined, { signal }).catch(() => {
            throw error
          })
        }
      }
      throw new TypeError('the last attempt neither ended nor failed')
    },
    close() {
      agents.plain.destroy()
      agents.tls.destroy()
    },
  }
}

/** An address as it may be printed: a query may be a token. */
export function shown({ origin, pathname }: URL): string {
  return `${origin}${pathname}`
}

interface Agents {
  plain: HttpAgent
  tls: HttpsAgent
}

function createAgents(ca: string | undefined): Agents {
  // As for Helm, the proxy is the one that the environment names.
  const common = { keepAlive: true, proxyEnv: process.env }
  const trusted = ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }
  return { plain: new HttpAgent(common), tls: new HttpsAgent({ ...common, ...trusted }) }
}

async function open(url: URL, total: AbortSignal, agents: Agents, options: HttpOptions): Promise<IncomingMessage> {
  const { stalledAfter = 30_000 } = options
  const identity = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'entrepot' }
  const settings = { signal: total, headers: { ...identity, ...authorization(url, options) } }
  try {
    const asked =
      url.protocol === 'https:'
        ? tlsRequest(url, { ...settings, agent: agents.tls })
        : plainRequest(url, { ...settings, agent: agents.plain })
    const stalled = Object.assign(new Error('no byte arrives'), { code: 'ETIMEDOUT' })
    asked.setTimeout(stalledAfter, () => asked.destroy(stalled))
    const answered = once(asked.end(), 'response')
    // What breaks later breaks the reading of the response.
    asked.on('error', () => {})
    const [response]: IncomingMessage[] = await answered
    if (!response) throw new TypeError('a response event without a response')
    return response
  } catch (error) {
    throw lost(url, error)
  }
}

function authorization(url: URL, { origin, credentials }: HttpOptions): Record<string, string> {
  if (!credentials || url.origin !== origin) return {}
  const pair = `${credentials.username}:${credentials.password.reveal()}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

async function* bounded(response: IncomingMessage, url: URL, most: number): AsyncGenerator<Uint8Array> {
  let size = Number(response.headers['content-length'] ?? 0)
  if (size > most) response.destroy()
  if (size > most) throw new SourceError('refused', `${shown(url)} is larger than ${most} bytes`)
  size = 0
  try {
    for await (const chunk of response) {
      const bytes: Uint8Array = chunk
      size += bytes.length
      if (size > most) throw new SourceError('refused', `${shown(url)} is larger than ${most} bytes`)
      yield bytes
    }
  } catch (error) {
    throw error instanceof SourceError ? error : lost(url, error)
  }
}

function nextUrl({ headers }: IncomingMessage, from: URL): URL {
  const next = headers.location === undefined ? null : URL.parse(headers.location, from)
  const refuse = (where: string) => new SourceError('refused', `${shown(from)} redirects ${where}`)
  if (!next) throw refuse('without saying where')
  if (!['http:', 'https:'].includes(next.protocol)) throw refuse('to something that is not HTTP')
  if (from.protocol === 'https:' && next.protocol === 'http:') throw refuse('from https to plaintext')
  if (next.username !== '' || next.password !== '') throw refuse('to an address that carries a user name')
  return next
}

function refusal({ statusCode = 0, headers }: IncomingMessage, url: URL): SourceError {
  const answer = `${shown(url)} answers ${statusCode}`
  const after = retryAfter(headers['retry-after'] === undefined ? [] : [headers['retry-after']])
  if (statusCode === 429 || statusCode === 408 || statusCode >= 500) {
    return new SourceError('silent', answer, after === undefined ? {} : { after })
  }
  if (statusCode === 404 || statusCode === 410) return new SourceError('absent', answer)
  // What an object store answers for what is not there too, to whoever may not list.
  if (statusCode === 403) return new SourceError('denied', answer)
  const hint = statusCode === 401 ? ': --username and --password-stdin say who we are' : ''
  return new SourceError('refused', `${answer}${hint}`)
}

function lost(url: URL, cause: unknown): SourceError {
  const failure = failureOf(url.host, url.host, cause)
  const sentence = failure.detail.replace(/\.$/, '')
  if (isWorthRetrying(failure)) return new SourceError('silent', sentence, { cause })
  return new SourceError('refused', `${sentence}: --ca-file names a CA that is to be trusted`, { cause })
}
