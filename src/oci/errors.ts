/** The one error that rooms throw: it carries what the distribution spec's error body needs; `registry` renders it. */

/** Codes of the distribution spec (spec.md, "Error Codes") and the few that it lacks for a proxy; docs/errors.md lists them all. */
export const errorCodes = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  NOT_FOUND: 404,
  SIZE_INVALID: 400,
  RANGE_INVALID: 416,
  RANGE_UNSATISFIED: 404,
  TAG_INVALID: 400,
  PAGINATION_NUMBER_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  UNAVAILABLE: 503,
  UPSTREAM_INVALID: 502,
  UPSTREAM_TIMEOUT: 504,
  INTERNAL: 500,
} as const

export type ErrorCode = keyof typeof errorCodes

export interface OciErrorOptions {
  /** HTTP status where it is not the code's own. */
  status?: number
  /** Whole seconds for the Retry-After header. */
  retryAfter?: number
  cause?: unknown
  /** For programs: the member `detail` of the distribution spec's error body. Never a secret. */
  facts?: Readonly<Record<string, unknown>>
  /** What comes after it on the same connection is not wanted either, such as the rest of a body. */
  endsConnection?: true
}

export class OciError extends Error {
  readonly code: ErrorCode
  readonly status: number
  /** A sentence for the person at the client: what is wrong, and what to do. Never a secret, never a URL with its query. */
  readonly detail: string
  readonly retryAfter: number | undefined
  readonly facts: Readonly<Record<string, unknown>> | undefined
  readonly endsConnection: boolean

  constructor(code: ErrorCode, detail: string, options: OciErrorOptions = {}) {
    super(`${code}: ${detail}`, { cause: options.cause })
    this.name = 'OciError'
    this.code = code
    this.status = options.status ?? errorCodes[code]
    this.detail = detail
    this.retryAfter = options.retryAfter
    this.facts = options.facts
    this.endsConnection = options.endsConnection ?? false
  }
}

/**
 * Why an upstream gave no answer that can be used; the rows of the freshness table (docs/architecture.md).
 * `denied` 401 or 403, `limited` 429, `unreachable` 5xx, timeout, reset, DNS, TLS, `wrong` bytes that are not what was asked for.
 * "It does not exist" is no trouble: that is `undefined`.
 */
export type Trouble = 'denied' | 'limited' | 'unreachable' | 'wrong'

export interface UpstreamErrorOptions extends OciErrorOptions {
  isRegistrys?: boolean
}

/** "I could not find out": thrown by `upstream`, decided upon by the freshness table of `proxied`. */
export class UpstreamError extends OciError {
  readonly trouble: Trouble
  readonly upstream: string
  /** A registry said so itself, in an error body of the distribution spec. */
  readonly isRegistrys: boolean

  constructor(upstream: string, trouble: Trouble, code: ErrorCode, detail: string, options: UpstreamErrorOptions = {}) {
    super(code, detail, options)
    this.name = 'UpstreamError'
    this.trouble = trouble
    this.upstream = upstream
    this.isRegistrys = options.isRegistrys ?? false
  }
}
