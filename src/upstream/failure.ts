/** What kept a response away, as an UpstreamError: the codes of Node and undici sorted into the rows of the freshness table. */
import { UpstreamError } from '../oci/errors.ts'
import { refusedCode } from './dial.ts'

const timeoutCodes = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
])
const nameCodes = new Set(['ENOTFOUND', 'EAI_AGAIN', 'ENODATA', 'EAI_NODATA', 'EAI_NONAME', 'EAI_FAIL'])
const certificateCode = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY|DECRYPT)|^ERR_TLS_|HOSTNAME_MISMATCH/

/** `host`: what was being asked, which may be a token server or a CDN of the upstream. */
export function failureOf(upstream: string, host: string, error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error
  const who = host === upstream ? upstream : `${upstream} (${host})`
  const code = codeOf(error)
  if (timeoutCodes.has(code)) return timedOut(upstream, `${who} did not answer in time.`, error)
  if (code === refusedCode) {
    const detail = `${who} has a private or reserved address, and those are dialled only where the configuration names the host (redirectHosts, tokenRealms or url).`
    return new UpstreamError(upstream, 'wrong', 'UPSTREAM_INVALID', detail, { cause: error })
  }
  if (code === 'UND_ERR_HEADERS_OVERFLOW' || code === 'ERR_INVALID_URL') {
    return wrong(upstream, `${who} sent headers that are too large.`, error)
  }
  return new UpstreamError(upstream, 'unreachable', 'UNAVAILABLE', `${who} ${reasonOf(code)}.`, {
    status: 502,
    cause: error,
  })
}

export function timedOut(upstream: string, detail: string, cause?: unknown): UpstreamError {
  return new UpstreamError(upstream, 'unreachable', 'UPSTREAM_TIMEOUT', detail, { cause })
}

/** A time in ms as sentences say it: seconds with at most one decimal. */
export function inSeconds(ms: number): string {
  return `${Math.max(0.1, Math.round(ms / 100) / 10)} s`
}

export function wrong(upstream: string, detail: string, cause?: unknown): UpstreamError {
  return new UpstreamError(upstream, 'wrong', 'UPSTREAM_INVALID', detail, { cause })
}

/** Another attempt may end better; a certificate will not get better within a request. */
export function isWorthRetrying(error: unknown): boolean {
  if (!(error instanceof UpstreamError) || error.trouble !== 'unreachable') return false
  return !certificateCode.test(codeOf(error.cause))
}

function reasonOf(code: string): string {
  if (nameCodes.has(code)) return 'could not be found by name (DNS)'
  if (code === 'ECONNREFUSED') return 'refused the connection'
  if (certificateCode.test(code)) return `has a TLS certificate that is not accepted (${code})`
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) return 'does not speak TLS as expected'
  if (code.startsWith('HPE_')) return 'sent something that is not HTTP'
  if (code === 'UND_ERR_PRX_CONN' || code === 'UND_ERR_PRX_TLS') return 'could not be reached through the HTTP proxy'
  return code === '' ? 'could not be reached' : `broke the connection (${code})`
}

/** The first code in a chain of causes; of the many errors of a dial to several addresses, the first one's. */
function codeOf(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 4) return ''
  if ('code' in error && typeof error.code === 'string') return error.code
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause
  return codeOf(inner, depth + 1)
}
