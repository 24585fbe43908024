/** Who is let near: Host forms, web pages, and heads that two readers could read differently. */
import { describe, expect, test } from 'vitest'
import { ask, exchange, serve } from './serve.ts'

const path = '/v2/library/alpine/tags/list'
const options = { names: ['registry.internal', 'Box.lan:5000'] }

async function statusFor(lines: string[], target = path, version = '1.1') {
  const { port, repository } = await serve({ tags: ['1'] }, options)
  const text = [`GET ${target} HTTP/${version}`, 'Connection: close', ...lines, '', ''].join('\r\n')
  const { status, body } = await exchange(port, text)
  return { status, body: body.toString(), calls: repository.calls.length }
}

describe('Host', () => {
  test.each([
    'localhost',
    'localhost:5000',
    'LOCALHOST:1',
    '127.0.0.1',
    '127.0.0.1:5000',
    '[::1]',
    '[::1]:5000',
    'registry.internal',
    'registry.internal:443',
    'box.lan',
  ])('%s is ours', async (host) => {
    expect(await statusFor([`Host: ${host}`])).toMatchObject({ status: 200, calls: 1 })
  })

  test.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.nip.io',
    '127.0.0.2',
    '0.0.0.0:5000',
    '10.0.0.1',
    'registry.internal.evil.example',
    'docker.io',
  ])('%s is not ours: 403', async (host) => {
    expect(await statusFor([`Host: ${host}`])).toMatchObject({ status: 403, calls: 0 })
  })

  test.each([
    'localhost:port',
    'user@localhost',
    'localhost/',
    'local host',
    '::1',
    '[::1',
    '[::ffff:127.0.0.1]',
    'localhost,evil.example',
    '',
  ])('%j is malformed: 400', async (host) => {
    expect(await statusFor([`Host: ${host}`])).toMatchObject({ status: 400, calls: 0 })
  })

  test('two Host headers are 400, even of one value', async () => {
    expect(await statusFor(['Host: localhost', 'Host: evil.example'])).toMatchObject({ status: 400, calls: 0 })
    expect(await statusFor(['Host: localhost', 'Host: localhost'])).toMatchObject({ status: 400, calls: 0 })
  })

  test('no Host header is 400, in HTTP/1.0 too', async () => {
    expect(await statusFor([])).toMatchObject({ status: 400, calls: 0 })
    expect(await statusFor([], path, '1.0')).toMatchObject({ status: 400, calls: 0 })
  })

  test('an absolute target names a host that counts as well', async () => {
    const host = ['Host: localhost']
    expect(await statusFor(host, `http://localhost:5000${path}`)).toMatchObject({ status: 200, calls: 1 })
    expect(await statusFor(host, `http://evil.example${path}`)).toMatchObject({ status: 403, calls: 0 })
    expect(await statusFor(host, `http://user@localhost${path}`)).toMatchObject({ status: 400, calls: 0 })
    expect(await statusFor(['Host: evil.example'], `http://localhost${path}`)).toMatchObject({ status: 403, calls: 0 })
  })
})

describe('web pages', () => {
  test.each([
    ['Origin: https://evil.example'],
    ['Origin: http://localhost:3000'],
    ['Origin: null'],
    ['Origin: http://localhost:5000/'],
    ['Origin: chrome-extension://abc'],
    ['Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: same-site'],
    ['Sec-Fetch-Site: same-origin', 'Origin: https://evil.example'],
    ['Sec-Fetch-Site: anything'],
  ])('%s is 403 without a repository call', async (...lines) => {
    const answer = await statusFor(['Host: localhost:5000', ...lines])
    expect(answer).toMatchObject({ status: 403, calls: 0 })
    expect(JSON.parse(answer.body).errors[0].code).toBe('DENIED')
  })

  test.each([
    ['Origin: http://localhost:5000'],
    ['Sec-Fetch-Site: same-origin'],
    ['Sec-Fetch-Site: none'],
    ['Sec-Fetch-Site: same-origin', 'Origin: https://localhost:5000'],
  ])('%s is our own page', async (...lines) => {
    expect(await statusFor(['Host: localhost:5000', ...lines])).toMatchObject({ status: 200, calls: 1 })
  })

  test('no answer has CORS headers', async () => {
    const { port } = await serve({ tags: ['1'] })
    const { headers } = await ask(port, 'OPTIONS', path, { 'Access-Control-Request-Method': 'GET' })
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

describe('bodies and encodings', () => {
  test.each([
    ['Content-Length: 5'],
    ['Transfer-Encoding: chunked'],
    ['Transfer-Encoding: xchunked'],
    ['Transfer-Encoding: gzip, chunked'],
    ['Transfer-Encoding: identity'],
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: chunked', 'Content-Length: 5'],
  ])('GET with %s is 400 and the connection ends', async (...lines) => {
    expect(await statusFor(['Host: localhost', ...lines])).toMatchObject({ status: 400, calls: 0 })
  })

  test('the bytes of a refused body are not taken for a next request', async () => {
    const { port, repository } = await serve({ tags: ['1'] })
    const smuggled = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
    for (const line of ['Transfer-Encoding: xchunked', `Content-Length: ${smuggled.length}`]) {
      const { raw } = await exchange(port, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${line}\r\n\r\n${smuggled}`)
      expect(raw.toString().match(/HTTP\/1\.1 /g)).toEqual(['HTTP/1.1 '])
    }
    expect(repository.calls).toEqual([])
  })

  test('Content-Length: 0 is no body', async () => {
    expect(await statusFor(['Host: localhost', 'Content-Length: 0'])).toMatchObject({ status: 200, calls: 1 })
  })

  test('a push with an unknown encoding is 400', async () => {
    const { port } = await serve()
    const { status } = await ask(port, 'PATCH', '/v2/a/blobs/uploads/1', { 'Transfer-Encoding': 'xchunked' })
    expect(status).toBe(400)
  })
})
