/** A token server on a loopback socket that records all that it is told, and the plainest possible `Send`. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, request as startRequest, type ServerResponse } from 'node:http'
import { type RepositoryName, parseName } from '../../../src/oci/name.ts'
import { UpstreamError } from '../../../src/oci/errors.ts'
import type { Credential } from '../../../src/upstream/credential.ts'
import { secret } from '../../../src/oci/secret.ts'
import type { Send, UpstreamResponse } from '../../../src/upstream/send.ts'

interface TokenCall {
  method: string
  url: URL
  headers: IncomingHttpHeaders
  body: string
}

export interface TokenServer {
  url: URL
  /** The realm of its challenges. */
  realm: string
  calls: TokenCall[]
  /** All that came over the wire, headers and bodies. */
  received(): string
  /** Answers all further calls. */
  answer(handler: (call: TokenCall, response: ServerResponse) => void): void
  close(): Promise<void>
}

/** Gives out `token-1`, `token-2`, ... for 300 s each. */
export async function startTokenServer(): Promise<TokenServer> {
  const calls: TokenCall[] = []
  let handler = (_call: TokenCall, response: ServerResponse) =>
    reply(response, { token: `token-${calls.length}`, expires_in: 300 })
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', headers } = request
      const url = new URL(request.url ?? '', 'http://server')
      const call = { method, url, headers, body: Buffer.concat(chunks).toString() }
      calls.push(call)
      handler(call, response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const { port } = address
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    realm: `http://127.0.0.1:${port}/token`,
    calls,
    received: () => JSON.stringify(calls),
    answer: (next) => (handler = next),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export function reply(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** Sends to the URL's own host and port, or, whatever the URL says, to `instead`. */
export function plainSend(instead?: URL): Send {
  return async ({ method, url, headers, body, signal }) => {
    const { hostname, port } = instead ?? url
    const request = startRequest({
      hostname,
      port,
      method,
      path: url.pathname + url.search,
      headers,
      signal,
      agent: false,
    })
    request.end(body)
    const [message] = await once(request, 'response')
    const response: UpstreamResponse = {
      status: message.statusCode,
      header: (field) => message.headersDistinct[field] ?? [],
      body: message,
      async bytes(limit) {
        const chunks: Buffer[] = []
        let size = 0
        for await (const chunk of message) {
          chunks.push(chunk)
          size += chunk.length
          if (size > limit) throw new UpstreamError('registry.example', 'wrong', 'UPSTREAM_INVALID', 'body too long')
        }
        return Buffer.concat(chunks)
      },
      discard: () => message.resume(),
    }
    return response
  }
}

export function name(text: string): RepositoryName {
  const parsed = parseName(text)
  if (!parsed) throw new Error(`${text} is no repository name`)
  return parsed
}

export function login(username: string, password: string): Credential {
  return { identity: `config:${username}`, username, password: secret(password) }
}

export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
