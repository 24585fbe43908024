/** What an upstream's answer means: the statuses and types of the distribution spec sorted into the rows of the freshness table. */
import { type ErrorCode, type Trouble, UpstreamError } from '../oci/errors.ts'
import { parseJson } from '../oci/json.ts'
import { isObject } from './json-object.ts'
import { retryAfter } from './retry-after.ts'
import type { UpstreamResponse } from './send.ts'

const errorBodyLimit = 16 * 1024

/** The Content-Type without parameters; empty where there is none. */
export function mediaTypeOf(response: UpstreamResponse): string {
  const [line = ''] = response.header('content-type')
  const [type = ''] = line.split(';')
  return type.trim()
}

/** What a captive portal or a misplaced web server sends. */
export function isWebPage(response: UpstreamResponse): boolean {
  return ['text/html', 'application/xhtml+xml'].includes(mediaTypeOf(response).toLowerCase())
}

/** The declared length of the body; `undefined` where there is none. */
export function contentLengthOf(response: UpstreamResponse): number | undefined {
  const [text = ''] = response.header('content-length')
  const length = Number(text)
  return /^\d+$/.test(text) && Number.isSafeInteger(length) ? length : undefined
}

/** Reads what is left of an answer that is no success, and says what it means. `host`: who gave it, for the sentence. */
export async function failureOfAnswer(
  upstream: string,
  host: string,
  response: UpstreamResponse,
): Promise<UpstreamError> {
  const who = host === upstream ? upstream : `${upstream} (${host})`
  const said = await readError(response)
  const trouble = said?.code === 'TOOMANYREQUESTS' ? 'limited' : troubleOf(response.status)
  const quote = said ? ` (${[said.code, said.message].filter(Boolean).join(': ')})` : ''
  const detail = `${who} answered ${response.status}${quote}.`
  const asked = retryAfter(response.header('retry-after'))
  const isTimeout = response.status === 504 || response.status === 408
  return new UpstreamError(upstream, trouble, isTimeout ? 'UPSTREAM_TIMEOUT' : codes[trouble], detail, {
    retryAfter: asked === undefined || isTimeout ? undefined : Math.max(1, asked),
    isRegistrys: said !== undefined,
  })
}

const codes: Record<Trouble, ErrorCode> = {
  denied: 'DENIED',
  limited: 'TOOMANYREQUESTS',
  unreachable: 'UNAVAILABLE',
  wrong: 'UPSTREAM_INVALID',
}

function troubleOf(status: number): Trouble {
  if (status === 401 || status === 403 || status === 451) return 'denied'
  if (status === 429) return 'limited'
  return status >= 500 || status === 408 || status === 425 ? 'unreachable' : 'wrong'
}

/** The first error of an error body (spec.md, "Error Codes"), fit to be shown; `undefined` for any other body. */
async function readError(response: UpstreamResponse): Promise<{ code: string; message: string } | undefined> {
  try {
    const body = parseJson(await response.bytes(errorBodyLimit))
    const errors: unknown = isObject(body) ? body.errors : undefined
    const first: unknown = Array.isArray(errors) ? errors[0] : undefined
    if (!isObject(first)) return undefined
    const code = typeof first.code === 'string' && /^[A-Z_]{1,64}$/.test(first.code) ? first.code : ''
    const message = typeof first.message === 'string' ? fitToShow(first.message) : ''
    return code === '' && message === '' ? undefined : { code, message }
  } catch {
    return undefined
  }
}

/** Upstream's words: printable, short, and no URL with its query, which may be a signed one. */
function fitToShow(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]+/g, ' ').replace(/(https?:\/\/[^\s?]*)\?\S*/g, '$1')
  return printable.slice(0, 200).trim()
}
