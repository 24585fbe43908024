/** Who may talk to us at all: checks that need no more than the request's head, made before anything else (DNS rebinding, web pages, smuggling). */
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { OciError } from '../oci/errors.ts'
import { parseHost } from '../oci/host.ts'
import type { RawTarget } from './target.ts'

/** A request's head. `header` gives the values of each line of that name, empty where there is none. */
export interface Head {
  method: string
  /** The raw target, as in the request line. */
  target: string
  /** How it came: over TLS, over a plaintext connection, or without a server. */
  over: 'tls' | 'plaintext' | 'call'
  /** The client's IP address; absent on a unix socket and without a server. */
  address?: string | undefined
  header(name: string): string[]
}

export function headOfIncoming(incoming: IncomingMessage): Head {
  const lines = incoming.headersDistinct
  return {
    method: incoming.method ?? 'GET',
    target: incoming.url ?? '/',
    over: incoming.socket instanceof TLSSocket ? 'tls' : 'plaintext',
    address: incoming.socket.remoteAddress,
    header: (name) => lines[name] ?? [],
  }
}

/** Where there is no server the URL of the request is all that names a host. */
export function headOfRequest(request: Request): Head {
  const url = new URL(request.url)
  const header = (name: string) => {
    const value = request.headers.get(name) ?? (name === 'host' ? url.host : null)
    return value === null ? [] : [value]
  }
  return { method: request.method, target: `${url.pathname}${url.search}`, over: 'call', header }
}

export type Guard = (head: Head, target: RawTarget) => void

/**
 * @param names what clients may call us besides localhost, 127.0.0.1 and [::1]; ports do not count
 * @returns a check that throws OciError: DENIED for hosts that are not ours and for other sites' web pages, 400 for heads that
 *   two readers could read differently
 */
export function createGuard(names: readonly string[]): Guard {
  const ours = new Set(['localhost', '127.0.0.1', '[::1]', ...names.map((name) => hostOf(name) ?? name.toLowerCase())])
  return (head, target) => {
    const host = onlyHost(head)
    for (const named of target.authority === undefined ? [host] : [host, target.authority]) {
      const name = hostOf(named)
      if (name === undefined) throw malformed('The Host header is malformed.')
      if (!ours.has(name)) throw denied(`This registry is not called ${name}: add it to "names" in the configuration.`)
    }
    refuseOtherSites(head, host)
    refuseBodies(head)
  }
}

function onlyHost(head: Head): string {
  const [host, ...more] = head.header('host')
  if (host === undefined || host === '') throw malformed('The request has no Host header.')
  if (more.length > 0) throw malformed('The request has more than one Host header.')
  return host
}

/** The name alone, in lower case: ports do not count. */
function hostOf(text: string): string | undefined {
  return parseHost(text)?.replace(/:\d+$/, '')
}

/** Only browsers send these headers; our own status page is the one page that may call. */
function refuseOtherSites(head: Head, host: string): void {
  const site = head.header('sec-fetch-site')
  if (site.some((value) => value !== 'none' && value !== 'same-origin'))
    throw denied('Web pages of other sites may not call this registry.')
  if (head.header('origin').some((origin) => !isSameOrigin(origin, host)))
    throw denied('Web pages of other origins may not call this registry.')
}

function isSameOrigin(origin: string, host: string): boolean {
  const scheme = /^https?:\/\//.exec(origin)?.[0]
  if (!scheme || !URL.canParse(origin) || !URL.canParse(scheme + host)) return false
  const theirs = new URL(origin)
  return theirs.origin === origin && theirs.host === new URL(scheme + host).host
}

/** A body where none belongs, or one whose end is uncertain, is how requests are smuggled (RFC 9112 section 11.2). */
function refuseBodies(head: Head): void {
  const encodings = head.header('transfer-encoding')
  if (encodings.some((encoding) => encoding.trim().toLowerCase() !== 'chunked') || encodings.length > 1)
    throw malformed('The only Transfer-Encoding that is known here is chunked.')
  if (head.method !== 'GET' && head.method !== 'HEAD') return
  const declared = head.header('content-length').some((length) => length.trim() !== '0')
  if (declared || encodings.length > 0) throw malformed(`A ${head.method} request has no body.`)
}

function denied(detail: string): OciError {
  return new OciError('DENIED', detail)
}

function malformed(detail: string): OciError {
  return new OciError('UNSUPPORTED', detail, { status: 400 })
}
