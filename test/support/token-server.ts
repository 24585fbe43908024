/**
 * A token server as the distribution project specifies it (docs/spec/auth/{token,oauth,jwt}.md): GET with Basic, POST with a
 * password or a refresh token, ES256 tokens that a real registry verifies against the key set written to `jwks`. It stands in
 * front of its registry, so that both have one host and port: without TLS, careful clients send credentials nowhere else.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request as sendRequest, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'

interface TokenCall {
  method: string
  grant: 'anonymous' | 'password' | 'refresh_token' | 'refused'
  service: string | undefined
  scopes: string[]
}

export interface TokenServer {
  /** `http://127.0.0.1:port/token`. */
  readonly realm: string
  /** `127.0.0.1:port`. */
  readonly host: string
  /** The identity token that a docker config would hold as `identitytoken`: accepted as refresh token. */
  readonly identityToken: string
  /** Every request since the start, in order. */
  readonly calls: TokenCall[]
  /** Passes every request that is none for a token on to the registry at `host`. */
  forwardTo(host: string): void
  /** Idempotent. */
  stop(): Promise<void>
}

export interface TokenServerOptions {
  issuer: string
  service: string
  username: string
  password: string
  /** Where the JSON Web Key Set is written. */
  jwks: string
  /** Seconds for which a token is valid; default 300. */
  expiresIn?: number
}

interface TokenRequest {
  method: string
  query: URLSearchParams
  authorization: string | undefined
}

interface Signer {
  options: TokenServerOptions
  key: KeyObject
  keyId: string
}

export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  const keyId = createHash('sha256').update(JSON.stringify(jwk)).digest('hex').slice(0, 16)
  await writeFile(options.jwks, JSON.stringify({ keys: [{ ...jwk, kid: keyId, alg: 'ES256', use: 'sig' }] }))
  const identityToken = randomUUID()
  const calls: TokenCall[] = []
  let registry: string | undefined
  const server = createServer((request, response) => {
    if (!request.url?.startsWith('/token')) {
      forward(request, response, registry)
      return
    }
    void answerFor(request, response)
  })
  const answerFor = async (request: IncomingMessage, response: ServerResponse) => {
    const asked = await readRequest(request)
    const grant = grantOf(asked, options, identityToken)
    const service = asked.query.get('service') ?? undefined
    calls.push({ method: asked.method, grant, service, scopes: scopesOf(asked.query) })
    answer(response, asked, grant, { options, key: privateKey, keyId }, identityToken)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    realm: `http://127.0.0.1:${port}/token`,
    host: `127.0.0.1:${port}`,
    identityToken,
    calls,
    forwardTo(host) {
      registry = host
    },
    async stop() {
      if (!server.listening) return
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The Host stays what the client said, so that the registry's own URLs lead back here. */
function forward(request: IncomingMessage, response: ServerResponse, registry: string | undefined): void {
  if (registry === undefined) {
    response.writeHead(503)
    response.end()
    return
  }
  const { method, url, headers } = request
  const onward = sendRequest(`http://${registry}`, { method, path: url, headers, agent: false }, (answered) => {
    response.writeHead(answered.statusCode ?? 502, answered.headers)
    pipeline(answered, response, () => {})
  })
  onward.on('error', () => response.destroy())
  pipeline(request, onward, () => {})
}

/** A GET's query, or a POST's form. */
async function readRequest(request: IncomingMessage): Promise<TokenRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const method = request.method ?? 'GET'
  const query =
    method === 'POST'
      ? new URLSearchParams(Buffer.concat(chunks).toString())
      : new URL(request.url ?? '/', 'http://127.0.0.1').searchParams
  return { method, query, authorization: request.headers.authorization }
}

function grantOf(asked: TokenRequest, options: TokenServerOptions, identityToken: string): TokenCall['grant'] {
  if (asked.method !== 'POST') {
    if (asked.authorization === undefined) return 'anonymous'
    const basic = Buffer.from(`${options.username}:${options.password}`).toString('base64')
    return asked.authorization === `Basic ${basic}` ? 'password' : 'refused'
  }
  const grant = asked.query.get('grant_type')
  if (grant === 'refresh_token') {
    return asked.query.get('refresh_token') === identityToken ? 'refresh_token' : 'refused'
  }
  const known = asked.query.get('username') === options.username && asked.query.get('password') === options.password
  return grant === 'password' && known ? 'password' : 'refused'
}

function answer(
  response: ServerResponse,
  asked: TokenRequest,
  grant: TokenCall['grant'],
  signer: Signer,
  identityToken: string,
) {
  response.setHeader('Content-Type', 'application/json')
  if (grant === 'refused') {
    response.writeHead(401)
    response.end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'wrong credentials' }] }))
    return
  }
  const token = issue(grant === 'anonymous' ? [] : scopesOf(asked.query), signer)
  const seconds = signer.options.expiresIn ?? 300
  const offline = asked.query.get('offline_token') === 'true' || asked.query.get('access_type') === 'offline'
  const refresh = offline && grant !== 'anonymous' ? { refresh_token: identityToken } : {}
  const tokens = asked.method === 'POST' ? { access_token: token } : { token, access_token: token }
  response.end(JSON.stringify({ ...tokens, ...refresh, expires_in: seconds, issued_at: new Date().toISOString() }))
}

/** Scopes come as repeated parameters (GET) or in one, separated by spaces (POST). */
function scopesOf(query: URLSearchParams): string[] {
  return query.getAll('scope').flatMap((scope) => scope.split(' ').filter((part) => part !== ''))
}

function issue(scopes: string[], { options, key, keyId }: Signer): string {
  const now = Math.floor(Date.now() / 1000)
  const header = { typ: 'JWT', alg: 'ES256', kid: keyId }
  const claims = {
    iss: options.issuer,
    sub: options.username,
    aud: options.service,
    iat: now,
    nbf: now - 5,
    exp: now + (options.expiresIn ?? 300),
    jti: randomUUID(),
    access: scopes.map(accessOf),
  }
  const body = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = sign('sha256', Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' })
  return `${body}.${signature.toString('base64url')}`
}

/** `repository:a/b:pull,push`; the name may itself hold a colon (a host with a port). */
function accessOf(scope: string) {
  const [type = '', ...rest] = scope.split(':')
  const actions = (rest.pop() ?? '').split(',')
  return { type, name: rest.join(':'), actions }
}
