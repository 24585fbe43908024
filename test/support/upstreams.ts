/** Real registries to pull from, each a process of its own on a free loopback port, with its files in a temporary folder. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Running, start } from './process.ts'
import { startTokenServer, type TokenServer } from './token-server.ts'
import { toolPath } from './tools.ts'

interface Credentials {
  username: string
  password: string
}

export interface TestUpstream {
  /** `http://127.0.0.1:port`. */
  readonly url: string
  /** `127.0.0.1:port`. */
  readonly host: string
  /** What it wants before it lets anyone read; absent where everyone may. */
  readonly credentials?: Credentials
  /** Where its tokens come from, with Bearer authentication. */
  readonly tokens?: TokenServer
  /** Where the distribution registry keeps its content (its `rootdirectory`); absent where content is in memory. */
  readonly storage?: string
  /** The requests below `/v2/` since the start, in order, as `METHOD /v2/path?query`. */
  requests(): string[]
  log(): string
  /** Ends the process (its token server too) and removes its files. Idempotent. */
  stop(): Promise<void>
}

export type Authentication = 'none' | 'basic' | 'token'

const credentials: Credentials = { username: 'puller', password: 'pull-secret' }
/** `htpasswd -nbBC 5 puller pull-secret` */
const htpasswd = 'puller:$2y$05$hOKaTCa7ZAk0zo81UnNgS.sOp478FaXvsNKXAqh1rS2ni2yzTZ6QS\n'
const issuer = 'entrepot-test-issuer'
const service = 'entrepot-test-registry'

/** The distribution registry (CNCF Distribution), which keeps its content in files. */
export async function startDistribution(authentication: Authentication = 'none'): Promise<TestUpstream> {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-upstream-'))
  const storage = join(folder, 'content')
  const jwks = join(folder, 'jwks.json')
  const tokens =
    authentication === 'token' ? await startTokenServer({ issuer, service, jwks, ...credentials }) : undefined
  await writeFile(join(folder, 'htpasswd'), htpasswd)
  const settings = {
    version: '0.1',
    log: { level: 'info', formatter: 'text' },
    storage: {
      filesystem: { rootdirectory: storage },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: { addr: '127.0.0.1:0', secret: 'not-a-secret' },
    ...auth(authentication, folder, tokens),
  }
  const config = join(folder, 'config.json')
  await writeFile(config, JSON.stringify(settings))
  const registry = await start(toolPath('distribution'), ['serve', config], { env: { OTEL_TRACES_EXPORTER: 'none' } })
  const port = await registry.printed(/listening on 127\.0\.0\.1:(\d+)/)
  const host = `127.0.0.1:${port[1]}`
  tokens?.forwardTo(host)
  const upstream = describe(registry, tokens?.host ?? host, async () => {
    await tokens?.stop()
    await rm(folder, { recursive: true, force: true })
  })
  await answers(upstream.url, registry)
  return {
    ...upstream,
    storage,
    ...(authentication === 'none' ? {} : { credentials }),
    ...(tokens === undefined ? {} : { tokens }),
  }
}

/** The registry of go-containerregistry, which keeps its content in memory and lets everyone in. */
export async function startGgcrRegistry(): Promise<TestUpstream> {
  const registry = await start(toolPath('ggcr-registry'), ['-port', '0'])
  const port = await registry.printed(/serving on port (\d+)/)
  const upstream = describe(registry, `127.0.0.1:${port[1]}`, async () => {})
  await answers(upstream.url, registry)
  return upstream
}

function auth(authentication: Authentication, folder: string, tokens: TokenServer | undefined) {
  if (authentication === 'basic') return { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } }
  if (tokens === undefined) return {}
  const jwks = join(folder, 'jwks.json')
  return { auth: { token: { realm: tokens.realm, service, issuer, jwks, signingalgorithms: ['ES256'] } } }
}

function describe(registry: Running, host: string, afterwards: () => Promise<void>) {
  return {
    url: `http://${host}`,
    host,
    requests: () => requestsIn(registry.output()),
    log: registry.output,
    async stop() {
      await registry.stop()
      await afterwards()
    },
  }
}

function requestsIn(log: string): string[] {
  return [...log.matchAll(/(?:"| )((?:GET|HEAD|PUT|POST|PATCH|DELETE) \/v2\/[^\s"]*)/g)].map((match) => match[1] ?? '')
}

/** Ready is an answer at `/v2/` that a client understands: 200, or 401 with a challenge. */
async function answers(url: string, registry: Running): Promise<void> {
  const response = await fetch(`${url}/v2/`)
  await response.arrayBuffer()
  if (response.status === 200 || response.status === 401) return
  throw new Error(`${url}/v2/ answered ${response.status}:\n${registry.output()}`)
}
