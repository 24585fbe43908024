/** What the HTTP server around the registry allows its clients (slow heads, idle floods, oversized headers). */
import type { Server, ServerOptions } from 'node:http'

/**
 * Options of `http.createServer`. Node's own 400 to garbage stays as it is: Helm 3 falls back from https to http only when a TLS hello is
 * answered with something that starts with `HTTP/`.
 */
export const serverOptions = {
  headersTimeout: 10_000,
  // Node looks for timed-out connections only this often; its default of 30 s would make the 10 s above up to 40.
  connectionsCheckingInterval: 2_000,
  // One limit for all would cut long uploads: a body must make progress instead (body.ts), and one that nobody reads ends its connection.
  requestTimeout: 0,
  // Longer than proxies' idle timers, so that they close first; Go clients' pools (90 s) retry a connection that went away.
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16 * 1024,
} satisfies ServerOptions

/** The limits that Node takes as properties of the server rather than as options. */
export function limitServer(server: Pick<Server, 'maxHeadersCount' | 'maxRequestsPerSocket'>): void {
  server.maxHeadersCount = 100
  server.maxRequestsPerSocket = 1_000
}
