/** 10,000 seeded requests that no client should send: each gets a proper refusal, or a harmless answer, and none a 5xx. */
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { type RawAnswer, parseAnswer, readToEnd, serve } from './serve.ts'

const cases = 10_000
const atOnce = 16
const digest = `sha256:${'0'.repeat(64)}`

type Random = (below: number) => number

/** mulberry32: the same seed gives the same cases everywhere. */
function seeded(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function oneOf<T>(random: Random, items: readonly [T, ...T[]]): T {
  return items[random(items.length)] ?? items[0]
}

function noise(random: Random, longest: number): string {
  return Array.from({ length: random(longest) }, () => String.fromCharCode(random(256))).join('')
}

const badNames = [
  'A',
  '..',
  '.',
  '%2e%2e',
  'a%2f..%2fb',
  'a%00',
  '%00',
  '',
  'a//b',
  '-a',
  'a-',
  'a..b',
  'a___b',
  '%zz',
  '%ff',
  'a%20b',
  'é',
  'a%0d%0aX:%20y',
  'x'.repeat(300),
  'a@b',
  'a:b/c:d',
  'user@host.example',
  'host.example:999999',
  '[::1',
  '../../../../etc/passwd',
  '%252e%252e',
] as const
const badReferences = [
  'sha256:bad',
  'sha256:',
  'md5:00',
  ':',
  'a%00',
  '%01',
  '%7f',
  `sha256:${'A'.repeat(64)}`,
  `sha256:${'0'.repeat(63)}`,
  `sha512:${'0'.repeat(64)}`,
  'y'.repeat(600),
  '%c0%af',
  'sha256:..%2f..',
] as const
const badNumbers = ['-1', '1e9', '', 'x', '1.5', '%00', '0x1', '%F0', ' ', '1,2'] as const
const oddMethods = ['OPTIONS', 'TRACE', 'PROPFIND', 'FOO', 'get', 'G%20T', '', 'CONNECT', 'LINK', 'PURGE'] as const

/** Malformed in exactly the part that its name says; the rest is as a client sends it. */
const malformed: Record<string, (random: Random) => string> = {
  name: (random) =>
    request(
      'GET',
      `/v2/${oneOf(random, badNames)}/${oneOf(random, ['manifests/1', `blobs/${digest}`, 'tags/list', `referrers/${digest}`])}`,
    ),
  prefixedName: (random) => request('GET', `/${oneOf(random, badNames)}/v2/a/manifests/1`),
  reference: (random) => request('GET', `/v2/a/manifests/${oneOf(random, badReferences)}`),
  digest: (random) =>
    request(
      oneOf(random, ['GET', 'HEAD']),
      `/v2/a/${oneOf(random, ['blobs', 'referrers'])}/${oneOf(random, badReferences)}`,
    ),
  number: (random) => request('GET', `/v2/a/tags/list?n=${oneOf(random, badNumbers)}`),
  method: (random) =>
    request(oneOf(random, oddMethods), oneOf(random, ['/v2/', '/v2/a/tags/list', `/v2/a/blobs/${digest}`])),
  push: (random) =>
    request(
      oneOf(random, ['PUT', 'POST', 'PATCH', 'DELETE']),
      oneOf(random, ['/v2/a/manifests/1', '/v2/a/blobs/uploads/', '/v2/a/blobs/uploads/x?digest=y']),
      ['Content-Length: 3'],
      'abc',
    ),
  body: (random) =>
    request(
      oneOf(random, ['GET', 'HEAD']),
      '/v2/a/tags/list',
      [
        oneOf(random, [
          'Content-Length: 3',
          'Transfer-Encoding: chunked',
          'Transfer-Encoding: xchunked',
          'Content-Length: 3, 3',
          'Content-Length: -1',
        ]),
      ],
      'abc',
    ),
  host: (random) =>
    `GET /v2/a/tags/list HTTP/1.1\r\nHost: ${oneOf(random, ['evil.example', 'localhost, evil', 'a b', '@', '[', noise(random, 20).replaceAll(/[\r\n]/g, '')])}x\r\nConnection: close\r\n\r\n`,
  largeHeaders: (random) => request('GET', '/v2/a/tags/list', [`X: ${'x'.repeat(17_000 + random(50_000))}`]),
  longTarget: (random) => request('GET', `/v2/a/tags/list?last=${'x'.repeat(4096 + random(8000))}`),
  range: (random) =>
    request('GET', `/v2/a/blobs/${digest}`, [
      `Range: bytes=${oneOf(random, ['x', '-', '', '1', 'a-b', '1-2,z', '--1', '9'.repeat(50)])}`,
    ]),
  line: (random) =>
    oneOf(random, [
      'GET\r\n\r\n',
      'GET /v2/ HTTP/9.9\r\n\r\n',
      '\r\n\r\n\r\n',
      'GET /v2/ HTTP/1.1\nHost: localhost\n\n',
      '\u0016\u0003\u0001\u0002\u0000\u0001',
      `GET /v2/a/manifests/\u0000 HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      'GET  /v2/ HTTP/1.1\r\n\r\n',
      `GET /v2/ HTTP/1.1\r\nHost: localhost\r\nA\u0000: b\r\n\r\n`,
    ]),
  bytes: (random) => `${noise(random, 400)}\r\n\r\n`,
  target: (random) => `GET ${noise(random, 60)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
  absolute: (random) =>
    request(
      'GET',
      `${oneOf(random, ['http', 'https', 'ftp', 'file', 'HTTP'])}://${oneOf(random, ['evil.example', 'user:pass@localhost', 'localhost@evil.example', '[::', ''])}/v2/a/tags/list`,
    ),
  namespaces: () => request('GET', '/v2/a/tags/list?ns=a.example&ns=b.example'),
}

function request(method: string, target: string, headers: string[] = [], body = ''): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers, '', body].join('\r\n')
}

async function send(port: number, text: string): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1')
  const read = readToEnd(socket)
  // Ending our side lets the server answer what was sent and see that no more comes.
  socket.end(Buffer.from(text, 'latin1'))
  return parseAnswer(await read)
}

test(`${cases} malformed requests reach no repository and get no 5xx`, { timeout: 60_000 }, async () => {
  const { port, repository, resolved, logged } = await serve({ tags: ['1'] })
  const random = seeded(20_260_725)
  const kinds = Object.entries(malformed)
  const wrong: string[] = []
  const statuses = new Map<number, number>()
  const worker = async (count: number) => {
    for (let index = 0; index < count; index += 1) {
      const [kind, make] = kinds[random(kinds.length)] ?? ['', () => '']
      const text = make(random)
      const { status, headers, body } = await send(port, text)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      const refused = Number.isNaN(status) || (status >= 400 && status < 500)
      const spoken = headers['content-type'] !== 'application/json' || isErrorBody(body, text)
      if (!refused || !spoken) wrong.push(`${kind} ${status} ${JSON.stringify(text.slice(0, 200))}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, () => worker(cases / atOnce)))
  expect(wrong).toEqual([])
  expect(repository.calls).toEqual([])
  expect(logged).toEqual([])
  expect(statuses.get(400)).toBeGreaterThan(cases / 4)
  // CONNECT and empty lines: Node closes the connection.
  expect(statuses.get(Number.NaN)).toBeLessThan(cases / 50)
  expect(resolved.filter((name) => name !== 'a')).toEqual([])
  expect((await send(port, request('GET', '/v2/a/tags/list'))).status).toBe(200)
})

function isErrorBody(body: Buffer, text: string): boolean {
  if (text.startsWith('HEAD')) return body.length === 0
  const { errors } = JSON.parse(body.toString())
  return Array.isArray(errors) && typeof errors[0]?.code === 'string' && typeof errors[0].message === 'string'
}
