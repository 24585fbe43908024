import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { secret } from '../../src/oci/secret.ts'
import { createHttp, type HttpOptions } from '../../src/commands/import-charts-http.ts'
import { issueCertificate } from '../support/certificates.ts'
import { type ChartServer, startChartServer } from '../charts/server.ts'

const credentials = { username: 'jane', password: secret('s3cret') }
const jane = `Basic ${Buffer.from('jane:s3cret').toString('base64')}`

function connect(server: ChartServer, options: Partial<HttpOptions> = {}) {
  const { signal } = new AbortController()
  const http = createHttp({ origin: server.url, signal, pauses: [1, 1, 1], stalledAfter: 5_000, ...options })
  onTestFinished(() => http.close())
  return (path = '/file?token=hidden', most = 1000) => http.get(new URL(path, server.url), most, (bytes) => text(bytes))
}

async function oneFile(options?: Partial<HttpOptions>) {
  const server = await startChartServer()
  server.files.set('/file', Buffer.from('content'))
  return { server, get: connect(server, options) }
}

describe('what is fetched over HTTP', () => {
  it('comes', async () => {
    const { get } = await oneFile()
    expect(await get()).toBe('content')
  })

  it.each([500, 502, 503, 408, 429])('is asked for again after %i', async (status) => {
    const { server, get } = await oneFile()
    server.misbehave(/file/, (_request, response) => void response.writeHead(status, { 'retry-after': '0' }).end(), 2)
    expect(await get()).toBe('content')
    expect(server.count(/file/)).toBe(3)
  })

  it.each<[string, Parameters<ChartServer['misbehave']>[1]]>([
    ['the connection broke', (request) => void request.socket.destroy()],
    [
      'the transfer broke',
      (request, response) =>
        void response.writeHead(200, { 'content-length': 7 }).write('cont', () => request.socket.destroy()),
    ],
    [
      'a transfer without a length broke',
      (request, response) => void response.writeHead(200).write('cont', () => request.socket.destroy()),
    ],
  ])('is asked for again after %s', async (_what, handler) => {
    const { server, get } = await oneFile()
    server.misbehave(/file/, handler, 1)
    expect(await get()).toBe('content')
  })

  it('is asked for again where no byte comes', async () => {
    const { server, get } = await oneFile({ stalledAfter: 100 })
    server.misbehave(/file/, () => {}, 1)
    server.misbehave(
      /file/,
      (_request, response) => void response.writeHead(200, { 'content-length': 7 }).write('cont'),
      1,
    )
    expect(await get()).toBe('content')
    expect(server.count(/file/)).toBe(3)
  })

  it('is given up after the last pause, without its query in the sentence', async () => {
    const { server, get } = await oneFile()
    server.misbehave(/file/, (_request, response) => void response.writeHead(503).end())
    await expect(get()).rejects.toMatchObject({ kind: 'silent', message: `${server.url}/file answers 503` })
    expect(server.count(/file/)).toBe(4)
  })

  it('is not asked for again once the import is interrupted', async () => {
    const stop = new AbortController()
    const { server, get } = await oneFile({ signal: stop.signal, pauses: [60_000] })
    server.misbehave(/file/, (_request, response) => void response.writeHead(503).end(() => stop.abort()))
    await expect(get()).rejects.toMatchObject({ kind: 'silent' })
    expect(server.count(/file/)).toBe(1)
  })

  it.each([
    [404, 'absent', 'answers 404'],
    [410, 'absent', 'answers 410'],
    [403, 'denied', 'answers 403'],
    [401, 'refused', '--username'],
    [400, 'refused', 'answers 400'],
    [204, 'refused', 'answers 204'],
  ])('is not asked for again after %i', async (status, kind, message) => {
    const { server, get } = await oneFile()
    server.misbehave(/file/, (_request, response) => void response.writeHead(status).end())
    await expect(get()).rejects.toMatchObject({ kind, message: expect.stringContaining(message) })
    expect(server.count(/file/)).toBe(1)
  })

  it.each([
    ['says', { 'content-length': '2000' }],
    ['does not say', {}],
  ])('may not be larger than it may be, where the server %s its length', async (_what, headers) => {
    const { server, get } = await oneFile()
    server.misbehave(/file/, (_request, response) => void response.writeHead(200, headers).end('x'.repeat(2000)))
    await expect(get()).rejects.toMatchObject({
      kind: 'refused',
      message: `${server.url}/file is larger than 1000 bytes`,
    })
    expect(server.count(/file/)).toBe(1)
  })

  it('is not asked for where nobody listens, and that is said', async () => {
    const { get } = await oneFile()
    await expect(get('http://127.0.0.1:1/file')).rejects.toMatchObject({
      kind: 'silent',
      message: '127.0.0.1:1 refused the connection',
    })
  })

  it('is the end of what the receiver made of it: its own errors pass', async () => {
    const { server } = await oneFile()
    const http = createHttp({ origin: server.url, signal: new AbortController().signal, pauses: [1] })
    onTestFinished(() => http.close())
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    await expect(http.get(new URL('/file', server.url), 1000, () => Promise.reject(full))).rejects.toBe(full)
    expect(server.count(/file/)).toBe(1)
  })
})

describe('a redirect', () => {
  const to =
    (location: string): Parameters<ChartServer['misbehave']>[1] =>
    (_request, response) =>
      void response.writeHead(302, { location }).end('elsewhere')

  it('within the origin is followed with the credentials', async () => {
    const { server, get } = await oneFile({ credentials })
    server.misbehave(/start/, to('/file'))
    expect(await get('/start')).toBe('content')
    expect(server.calls.map(({ authorization }) => authorization)).toEqual([jane, jane])
  })

  it('to another origin is followed without them', async () => {
    const { server, get } = await oneFile({ credentials })
    const other = await startChartServer()
    other.files.set('/file', Buffer.from('other'))
    server.misbehave(/start/, to(`${other.url}/file`))
    expect(await get('/start')).toBe('other')
    expect(other.calls.map(({ authorization }) => authorization)).toEqual([undefined])
  })

  it('that ends where it began is followed five times', async () => {
    const { server, get } = await oneFile()
    server.misbehave(/start/, to('/start'))
    await expect(get('/start')).rejects.toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('more than 5'),
    })
    expect(server.count(/start/)).toBe(6)
  })

  it.each([
    ['to a file', 'file:///etc/passwd', 'not HTTP'],
    ['to an address with a password', 'http://a:b@127.0.0.1/', 'user name'],
    ['to nowhere', 'http://', 'without saying where'],
  ])('%s is refused', async (_what, location, words) => {
    const { server, get } = await oneFile()
    server.misbehave(/start/, to(location))
    await expect(get('/start')).rejects.toMatchObject({ kind: 'refused', message: expect.stringContaining(words) })
  })

  it('from https to plaintext is refused', async () => {
    const { server: plain } = await oneFile()
    const authority = issueCertificate({ name: 'authority' })
    const server = await startChartServer(issueCertificate({ name: 'charts', hosts: ['127.0.0.1'], issuer: authority }))
    server.misbehave(/start/, to(`${plain.url}/file`))
    const get = connect(server, { ca: authority.cert })
    await expect(get('/start')).rejects.toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('plaintext'),
    })
    expect(plain.calls).toEqual([])
  })
})

describe('a certificate', () => {
  it('of a CA that is named is accepted, and of no other', async () => {
    const authority = issueCertificate({ name: 'authority' })
    const server = await startChartServer(issueCertificate({ name: 'charts', hosts: ['127.0.0.1'], issuer: authority }))
    server.files.set('/file', Buffer.from('content'))
    expect(await connect(server, { ca: authority.cert })()).toBe('content')
    await expect(connect(server)()).rejects.toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('--ca-file'),
    })
    const another = issueCertificate({ name: 'another' })
    await expect(connect(server, { ca: another.cert })()).rejects.toMatchObject({ kind: 'refused' })
    expect(server.count(/file/)).toBe(1)
  })
})
