import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { type ConnectorOptions, createConnector } from '../../src/upstream/connector.ts'
import { issueCertificate } from '../support/certificates.ts'
import { type ScriptedRegistryOptions, startScriptedRegistry } from '../support/scripted-registry.ts'
import { caught } from './caught.ts'

const authority = issueCertificate({ name: 'Test authority' })
const trusted = { tls: { ca: authority.cert } }
const cleanup: (() => unknown)[] = []

afterEach(async () => {
  for (const clean of cleanup.splice(0).toReversed()) await clean()
})

async function registryWith(options: ScriptedRegistryOptions) {
  const registry = await startScriptedRegistry(options)
  cleanup.push(() => registry.close())
  return registry
}

async function ask(url: string, options: Partial<ConnectorOptions>): Promise<number> {
  const connector = createConnector({ upstream: 'registry.test', privateHosts: [new URL(url).host], ...options })
  cleanup.push(() => connector.close())
  const signal = new AbortController().signal
  const response = await connector.metadata({ method: 'GET', url: new URL('/v2/', url), headers: {}, signal })
  response.discard()
  return response.status
}

/** A proxy that tunnels and forwards; it tells what it was asked for. */
async function startProxy() {
  const asked: string[] = []
  const sockets = new Set<Socket | Duplex>()
  const forward = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    asked.push(`${incoming.method} ${incoming.url}`)
    const { method, headers } = incoming
    httpRequest(incoming.url ?? '', { method, headers, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    }).end()
  }
  const server = createServer(forward)
  server.on('connect', (incoming, client) => {
    asked.push(`CONNECT ${incoming.url}`)
    const [host = '', port = ''] = (incoming.url ?? '').split(':')
    const target = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      client.pipe(target).pipe(client)
    })
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanup.push(() => {
    for (const socket of sockets) socket.destroy()
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no TCP address')
  return { url: new URL(`http://127.0.0.1:${address.port}`), asked }
}

describe('a TLS certificate', () => {
  it('of a configured authority is accepted', async () => {
    const tls = issueCertificate({ name: 'registry', hosts: ['127.0.0.1'], issuer: authority })
    const registry = await registryWith({ tls })
    expect(await ask(registry.url, trusted)).toBe(200)
  })

  it.each([
    ['that signs itself', issueCertificate({ name: 'self', hosts: ['127.0.0.1'] })],
    ['for another name', issueCertificate({ name: 'other', hosts: ['other.test'], issuer: authority })],
    [
      'that has expired',
      issueCertificate({
        name: 'expired',
        hosts: ['127.0.0.1'],
        issuer: authority,
        notAfter: new Date(Date.now() - 1000),
      }),
    ],
  ])('%s is refused, and no request is sent', async (_what, tls) => {
    const registry = await registryWith({ tls })
    const error = await caught(ask(registry.url, trusted))
    expect(error).toMatchObject({ trouble: 'unreachable', status: 502 })
    expect(error.detail).toContain('certificate')
    expect(registry.calls).toEqual([])
  })

  it('is not looked at for an insecure upstream', async () => {
    const registry = await registryWith({ tls: issueCertificate({ name: 'self', hosts: ['other.test'] }) })
    expect(await ask(registry.url, { tls: { insecure: true } })).toBe(200)
  })

  it('of ours is shown where upstream asks for one', async () => {
    const server = issueCertificate({ name: 'registry', hosts: ['127.0.0.1'], issuer: authority })
    const client = issueCertificate({ name: 'client', hosts: ['client.test'], issuer: authority })
    const registry = await registryWith({
      tls: { ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true },
    })
    expect(await ask(registry.url, { tls: { ca: authority.cert, cert: client.cert, key: client.key } })).toBe(200)
    expect(await caught(ask(registry.url, trusted))).toMatchObject({ trouble: 'unreachable' })
  })
})

describe('an HTTP proxy', () => {
  it('tunnels to https upstreams, whose certificate is still verified', async () => {
    const proxy = await startProxy()
    const good = await registryWith({ tls: issueCertificate({ name: 'r', hosts: ['127.0.0.1'], issuer: authority }) })
    const bad = await registryWith({ tls: issueCertificate({ name: 'r', hosts: ['127.0.0.1'] }) })
    expect(await ask(good.url, { ...trusted, proxy: proxy.url })).toBe(200)
    expect(await caught(ask(bad.url, { ...trusted, proxy: proxy.url }))).toMatchObject({ trouble: 'unreachable' })
    expect(proxy.asked).toEqual([`CONNECT ${good.host}`, `CONNECT ${bad.host}`])
    expect(bad.calls).toEqual([])
  })

  it('forwards to plain http upstreams', async () => {
    const proxy = await startProxy()
    const registry = await registryWith({})
    expect(await ask(registry.url, { proxy: proxy.url })).toBe(200)
    expect(proxy.asked).toEqual([`GET ${registry.url}/v2/`])
  })

  it.each(['http://127.0.0.1:1', 'http://10.0.0.1', 'http://[::1]', 'http://localhost:1', 'http://a.localhost'])(
    'is not asked for %s unless the configuration names it',
    async (url) => {
      const proxy = await startProxy()
      expect(await caught(ask(url, { proxy: proxy.url, privateHosts: [] }))).toMatchObject({ trouble: 'wrong' })
      expect(proxy.asked).toEqual([])
    },
  )

  it('of the environment is not used', async () => {
    const proxy = await startProxy()
    const registry = await registryWith({})
    const kept = { ...process.env }
    Object.assign(process.env, { HTTP_PROXY: proxy.url.href, http_proxy: proxy.url.href, ALL_PROXY: proxy.url.href })
    try {
      expect(await ask(registry.url, {})).toBe(200)
    } finally {
      process.env = kept
    }
    expect(proxy.asked).toEqual([])
  })
})
