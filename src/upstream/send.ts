/** One HTTP exchange with an upstream, as auth and the client see it; `connector` makes the real one over undici. */

export interface UpstreamRequest {
  method: 'GET' | 'HEAD' | 'POST'
  url: URL
  /** Names in lower case. */
  headers: Record<string, string>
  /** A form body, for token servers. */
  body?: string
  signal: AbortSignal
}

export interface UpstreamResponse {
  status: number
  /** The values of one header (name in lower case), each line by itself; empty where it is absent. */
  header(name: string): string[]
  body: AsyncIterable<Uint8Array>
  /** Reads the whole body as bytes. @throws UpstreamError `wrong` past `limit` bytes */
  bytes(limit: number): Promise<Uint8Array>
  /** Drops what is left of the body; the connection may be reused or closed. Idempotent. */
  discard(): void
}

/** Follows no redirect, retries nothing. @throws UpstreamError `unreachable` for anything that kept a response away */
export type Send = (request: UpstreamRequest) => Promise<UpstreamResponse>
