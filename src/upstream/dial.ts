/** Opens the connections to upstreams: TLS is verified, and the address that is dialled is public or named by the configuration. */
import { lookup as systemLookup } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import { buildConnector } from 'undici'
import { isPublicAddress } from './address.ts'
import { createLargeReads } from './read-buffers.ts'

export interface TlsOptions {
  /** PEM certificates that are trusted instead of the system's. */
  ca?: string
  /** PEM; for upstreams that ask for a client certificate. */
  cert?: string
  key?: string
  /** Do not verify the upstream's certificate. */
  insecure?: boolean
}

/** The addresses of a host name. */
export type Resolve = (hostname: string) => Promise<string[]>

export interface DialOptions {
  /** `host` (the scheme's own port) or `host:port`: these alone may have private addresses. */
  privateHosts: string[]
  tls?: TlsOptions
  /** ms for name resolution, TCP and TLS together. */
  connectTimeout: number
  resolve?: Resolve
}

export const refusedCode = 'ERR_ADDRESS_REFUSED'

/** The connect function of an undici pool. Its error has the code {@link refusedCode} where the address is not allowed. */
export function createDial(options: DialOptions): buildConnector.connector {
  const { privateHosts, connectTimeout, resolve = resolveBySystem } = options
  const allowed = createPrivateHosts(privateHosts)
  // `autoSelectFamily` makes Node ask the lookup for all addresses, and try them in turn.
  const families = { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 1_000 }
  const common = { ...tlsSettings(options.tls), ...families, timeout: connectTimeout, allowH2: false }
  const dialAny = createOpening({ ...common, lookup: lookupBy(resolve, () => true) })
  const dialPublic = createOpening({ ...common, lookup: lookupBy(resolve, isPublicAddress) })
  return (target, callback) => {
    const dialled: buildConnector.Callback = (...result) => {
      result[1]?.on('error', nameReset)
      callback(...result)
    }
    if (allowed(target)) return dialAny(target, dialled)
    if (isIP(target.hostname) !== 0 && !isPublicAddress(target.hostname)) {
      return callback(refused(target.hostname), null)
    }
    return dialPublic(target, dialled)
  }
}

/** TLS hands out its records, of at most 16 KiB, one by one: only plain connections gain from large reads. */
function createOpening(settings: buildConnector.BuildOptions): buildConnector.connector {
  const openSecure = buildConnector(settings)
  return (target, callback) => {
    if (target.protocol === 'https:') return openSecure(target, callback)
    const { attach, reads } = createLargeReads()
    buildConnector({ ...settings, ...reads })(target, (...result) => {
      if (result[1]) attach(result[1])
      callback(...result)
    })
  }
}

/**
 * undici takes ECONNRESET for the proper end of a body that has no length, by its code. A reset is never that here: it gets
 * another code before undici sees it.
 */
function nameReset(error: NodeJS.ErrnoException): void {
  if (error.code === 'ECONNRESET') error.code = 'ERR_CONNECTION_RESET'
}

export function tlsSettings(tls: TlsOptions = {}) {
  return {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    rejectUnauthorized: tls.insecure !== true,
  }
}

/** Whether a target may have a private address. */
export function createPrivateHosts(
  hosts: string[],
): (target: { protocol: string; hostname: string; port: string }) => boolean {
  const named = new Set(hosts.map((host) => host.toLowerCase()))
  return ({ protocol, hostname, port }) => {
    const defaultPort = protocol === 'https:' ? '443' : '80'
    const host = hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname
    const actual = port === '' ? defaultPort : port
    return named.has(`${host}:${actual}`) || (actual === defaultPort && named.has(host))
  }
}

export function refused(host: string): Error {
  const error = new Error(`${host} has an address that may not be dialled`)
  return Object.assign(error, { code: refusedCode })
}

async function resolveBySystem(hostname: string): Promise<string[]> {
  const found = await systemLookup(hostname, { all: true, order: 'verbatim' })
  return found.map(({ address }) => address)
}

/** The filter sits here, between the resolver and the dial, so that a second answer of the resolver cannot slip past it. */
function lookupBy(resolve: Resolve, mayDial: (address: string) => boolean): LookupFunction {
  const lookup = callbackify(async (hostname: string) => {
    const found = await resolve(hostname)
    // A name with public and private addresses is nobody's CDN: it is refused as a whole.
    if (found.length === 0 || !found.every(mayDial)) throw refused(hostname)
    return found.map((address) => ({ address, family: isIP(address) }))
  })
  return (hostname, _options, callback) => lookup(hostname, callback)
}
