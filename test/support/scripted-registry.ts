/**
 * A real registry on a loopback socket, correct by default, that a test can make misbehave request by request.
 * It counts what it is asked, so that a test can say "exactly one HEAD".
 */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage as Incoming,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { type Content, createDefault, type Handler } from './registry-content.ts'

export type { Handler } from './registry-content.ts'

interface RegistryCall {
  method: string
  /** The request target as sent: path and query. */
  url: string
  headers: IncomingHttpHeaders
}

/** `times`: how many requests are answered by the handler before the default comes back; without it, all. */
type Match = ((request: Incoming) => boolean) | { method?: string; path?: RegExp; times?: number }

export interface ScriptedRegistry {
  /** `http://127.0.0.1:port`, or `https://` with `tls`. */
  readonly url: string
  /** `127.0.0.1:port`. */
  readonly host: string
  readonly port: number
  /** Every request since the start, in order, misbehaved ones included. */
  readonly calls: RegistryCall[]
  count(method: string, path: RegExp): number
  /** TCP connections accepted since the start. */
  connections(): number
  /** Adds a manifest, and points `tag` at it. */
  putManifest(name: string, tag: string | undefined, bytes: Uint8Array | string, mediaType: string): Digest
  putBlob(name: string, bytes: Uint8Array | string): Digest
  deleteTag(name: string, tag: string): void
  deleteManifest(name: string, digest: Digest): void
  deleteBlob(name: string, digest: Digest): void
  /** The newest rule that matches answers. Returns what ends the rule. */
  misbehave(match: Match, handler: Handler): () => void
  /** Ends every connection at once. Idempotent. */
  close(): Promise<void>
}

export interface ScriptedRegistryOptions {
  tls?: Pick<ServerOptions, 'key' | 'cert' | 'ca' | 'requestCert' | 'rejectUnauthorized'>
  /** Whether `/referrers/` exists; without it 404, as in the distribution registry. */
  referrers?: boolean
  /** The port to listen on; any free one by default. */
  port?: number
}

interface Rule {
  takes(request: Incoming): boolean
  handler: Handler
}

export async function startScriptedRegistry(options: ScriptedRegistryOptions = {}): Promise<ScriptedRegistry> {
  const repositories = new Map<string, Content>()
  const calls: RegistryCall[] = []
  let rules: Rule[] = []
  let accepted = 0

  const serve = createDefault(repositories, options.referrers === true)
  const listener = (request: Incoming, response: ServerResponse) => {
    calls.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers })
    const handler = rules.find((rule) => rule.takes(request))?.handler ?? serve
    void Promise.resolve()
      .then(() => handler(request, response))
      .catch(() => request.socket.destroy())
  }
  const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener)
  server.keepAliveTimeout = 60_000
  server.on('connection', () => (accepted += 1))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no TCP address')
  const host = `127.0.0.1:${address.port}`

  return {
    url: `${options.tls ? 'https' : 'http'}://${host}`,
    host,
    port: address.port,
    calls,
    count: (method, path) => calls.filter((call) => call.method === method && path.test(call.url)).length,
    connections: () => accepted,
    ...createContent(repositories),
    misbehave(match, handler) {
      const rule = { takes: matcherOf(match), handler }
      rules = [rule, ...rules]
      return () => {
        rules = rules.filter((other) => other !== rule)
      }
    },
    close() {
      return new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

function matcherOf(match: Match): (request: Incoming) => boolean {
  if (typeof match === 'function') return match
  const { method, path, times } = match
  let left = times ?? Infinity
  return (request) => {
    if (left <= 0) return false
    if (method !== undefined && request.method !== method) return false
    if (path !== undefined && !path.test(request.url ?? '')) return false
    left -= 1
    return true
  }
}

function createContent(repositories: Map<string, Content>) {
  const contentOf = (name: string): Content => {
    const content = repositories.get(name) ?? { manifests: new Map(), tags: new Map(), blobs: new Map() }
    repositories.set(name, content)
    return content
  }
  return {
    putManifest(name: string, tag: string | undefined, bytes: Uint8Array | string, mediaType: string): Digest {
      const stored = Buffer.from(bytes)
      const digest = digestOf(stored)
      const content = contentOf(name)
      content.manifests.set(digest, { bytes: stored, mediaType })
      if (tag !== undefined) content.tags.set(tag, digest)
      return digest
    },
    putBlob(name: string, bytes: Uint8Array | string): Digest {
      const stored = Buffer.from(bytes)
      const digest = digestOf(stored)
      contentOf(name).blobs.set(digest, stored)
      return digest
    },
    deleteTag: (name: string, tag: string) => void contentOf(name).tags.delete(tag),
    deleteManifest: (name: string, digest: Digest) => void contentOf(name).manifests.delete(digest),
    deleteBlob: (name: string, digest: Digest) => void contentOf(name).blobs.delete(digest),
  }
}
