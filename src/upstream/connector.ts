/** The real `Send`, over undici: two connection pools an upstream, so that long transfers never delay a manifest. */
import { isIP } from 'node:net'
import { Agent, type Dispatcher, ProxyAgent } from 'undici'
import { isPublicAddress } from './address.ts'
import { collectBody, type Pace, pacedBody, tooLong } from './body.ts'
import { createDial, createPrivateHosts, refused, type Resolve, type TlsOptions, tlsSettings } from './dial.ts'
import { failureOf, wrong } from './failure.ts'
import type { Send, UpstreamRequest, UpstreamResponse } from './send.ts'

export interface ConnectorOptions {
  /** The upstream's name, for errors. */
  upstream: string
  /**
   * `host` (https 443, http 80) or `host:port` that may have a private address: the upstream's own, and those of
   * `redirectHosts` and `tokenRealms`.
   */
  privateHosts: string[]
  tls?: TlsOptions
  /** An HTTP proxy for all connections, `http://[user:password@]host:port`. The environment's are never used. */
  proxy?: URL
  /** ms; defaults 5,000, 15,000 and 30,000. */
  connectTimeout?: number
  headersTimeout?: number
  idleTimeout?: number
  /** Default 1 KiB/s over 60 s. */
  pace?: Pace
  /** Sockets a host for transfers of bytes; default 32. */
  transfers?: number
  resolve?: Resolve
}

export interface Connector {
  /** For everything that is small: manifests, HEADs, lists, tokens. */
  metadata: Send
  /** For blobs. */
  bytes: Send
  /** Ends all connections at once. */
  close(): Promise<void>
}

/** As many as the budget admits of manifests, HEADs and lists together, and some for a token server on the same host. */
const metadataSockets = 32

export function createConnector(options: ConnectorOptions): Connector {
  const metadata = createPool(options, metadataSockets)
  const bytes = createPool(options, options.transfers ?? 32)
  return {
    metadata: createSend(metadata, options),
    bytes: createSend(bytes, options),
    async close() {
      await Promise.all([metadata.destroy(), bytes.destroy()])
    },
  }
}

function createPool(options: ConnectorOptions, connections: number): Dispatcher {
  const connectTimeout = options.connectTimeout ?? 5_000
  const settings = {
    connections,
    pipelining: 1,
    allowH2: false,
    headersTimeout: options.headersTimeout ?? 15_000,
    bodyTimeout: options.idleTimeout ?? 30_000,
    keepAliveTimeout: 15_000,
    keepAliveMaxTimeout: 60_000,
    maxRequestsPerClient: 1_000,
    maxHeaderSize: 16 * 1024,
  }
  if (!options.proxy) {
    const { privateHosts, tls, resolve } = options
    return new Agent({ ...settings, connect: createDial({ privateHosts, tls, connectTimeout, resolve }) })
  }
  const { ca } = tlsSettings(options.tls)
  return new ProxyAgent({
    ...settings,
    uri: options.proxy.href,
    connectTimeout,
    requestTls: { ...tlsSettings(options.tls), allowH2: false },
    proxyTls: { ...(ca === undefined ? {} : { ca }), allowH2: false },
  })
}

function createSend(pool: Dispatcher, options: ConnectorOptions): Send {
  const { upstream, pace = { bytesPerSecond: 1024, window: 60_000 } } = options
  const guard = options.proxy ? createLiteralGuard(options.privateHosts) : undefined
  return async (request) => {
    const { url, signal } = request
    let response: Dispatcher.ResponseData
    try {
      guard?.(url)
      response = await pool.request(toUndici(request))
    } catch (error) {
      signal.throwIfAborted()
      throw failureOf(upstream, url.host, error)
    }
    const reason = refusalOf(response)
    if (reason !== undefined) {
      destroy(response)
      throw wrong(upstream, `${upstream} (${url.host}) ${reason}.`)
    }
    return toResponse(response, { upstream, host: url.host, signal }, pace)
  }
}

function toUndici({ method, url, headers, body, signal }: UpstreamRequest): Dispatcher.RequestOptions {
  return {
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method,
    headers: { 'user-agent': 'entrepot', 'accept-encoding': 'identity', ...headers },
    body: body ?? null,
    signal,
  }
}

function toResponse(
  response: Dispatcher.ResponseData,
  origin: { upstream: string; host: string; signal: AbortSignal },
  pace: Pace,
): UpstreamResponse {
  const body = pacedBody(response.body, origin, pace)
  let isRead = false
  const header = (name: string) => headerLines(response, name)
  return {
    status: response.statusCode,
    header,
    get body() {
      isRead = true
      return body
    },
    async bytes(limit) {
      isRead = true
      if (Number(header('content-length')[0] ?? 0) > limit) {
        destroy(response)
        throw tooLong(origin, limit)
      }
      return await collectBody(body, origin, limit)
    },
    discard() {
      if (isRead) return destroy(response)
      isRead = true
      // A short rest is read away, so that the connection can be used again.
      response.body.dump({ limit: 16 * 1024 }).catch(() => undefined)
    },
  }
}

function headerLines(response: Dispatcher.ResponseData, name: string): string[] {
  const value = Object.hasOwn(response.headers, name) ? response.headers[name] : undefined
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

/** Why a response cannot be used whatever its body; a coded body would have another digest (RFC 9110 section 8.4). */
function refusalOf(response: Dispatcher.ResponseData): string | undefined {
  const transfer = headerLines(response, 'transfer-encoding').join(',').toLowerCase()
  if (transfer !== '' && transfer !== 'chunked') return 'sent a Transfer-Encoding that is not known here'
  const isSuccess = response.statusCode >= 200 && response.statusCode < 300
  const codings = headerLines(response, 'content-encoding').join(',').split(',')
  const isPlain = codings.every((coding) => ['', 'identity'].includes(coding.trim().toLowerCase()))
  return isSuccess && !isPlain ? 'sent an encoded body, though identity was asked for' : undefined
}

function destroy(response: Dispatcher.ResponseData): void {
  response.body.on('error', () => undefined).destroy()
}

/** Through a proxy the proxy resolves names; addresses and the names of this machine can still be refused here. */
function createLiteralGuard(privateHosts: string[]): (url: URL) => void {
  const allowed = createPrivateHosts(privateHosts)
  return (url) => {
    if (allowed(url)) return
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const isLocalName = host === 'localhost' || host.endsWith('.localhost')
    if (isLocalName || (isIP(host) !== 0 && !isPublicAddress(host))) throw refused(host)
  }
}
