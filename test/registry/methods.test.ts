/** Methods that are no reads. */
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ask, exchange, open, parseAnswer, readToEnd, requestText, serve } from './serve.ts'

const digest = digestOf(Buffer.from('x'))

const pushes: [string, string][] = [
  ['POST', '/v2/team/app/blobs/uploads/'],
  ['POST', `/v2/team/app/blobs/uploads/?mount=${digest}&from=other`],
  ['PATCH', '/v2/team/app/blobs/uploads/1'],
  ['PUT', `/v2/team/app/blobs/uploads/1?digest=${digest}`],
  ['DELETE', '/v2/team/app/blobs/uploads/1'],
  ['PUT', '/v2/team/app/manifests/1.0'],
  ['DELETE', '/v2/team/app/manifests/1.0'],
  ['DELETE', `/v2/team/app/blobs/${digest}`],
]

describe('pushes', () => {
  test.each(pushes)('%s %s is 405 and names the line of the configuration', async (method, target) => {
    const { port, repository, resolved } = await serve()
    const answer = await ask(port, method, target, { 'Content-Length': '0' })
    expect(answer.status).toBe(405)
    expect(answer.headers).toMatchObject({ allow: 'GET, HEAD', 'docker-distribution-api-version': 'registry/2.0' })
    const [error] = JSON.parse(answer.body.toString()).errors
    expect(error.code).toBe('UNSUPPORTED')
    expect(error.message).toContain(`team/app takes no ${method === 'DELETE' ? 'deletes' : 'pushes'}.`)
    expect(error.message).toContain('hosted:')
    expect([...repository.calls, ...resolved]).toEqual(['team/app'])
  })

  test('to what could not exist are 400', async () => {
    const { port } = await serve()
    expect((await ask(port, 'PUT', '/v2/a/manifests/.bad')).body.toString()).toContain('TAG_INVALID')
    expect((await ask(port, 'DELETE', '/v2/a/blobs/bad')).body.toString()).toContain('DIGEST_INVALID')
    expect((await ask(port, 'PUT', '/v2/A/manifests/1')).body.toString()).toContain('NAME_INVALID')
  })

  test('with a body are answered, and the connection serves the next request', async () => {
    const { port } = await serve({ tags: ['1'] })
    const body = 'x'.repeat(100_000)
    const push = requestText('PUT', '/v2/a/manifests/1', { Connection: 'keep-alive', 'Content-Length': '100000' })
    const { raw } = await exchange(port, push + body + requestText('GET', '/v2/a/tags/list'))
    expect(raw.toString().match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 405', 'HTTP/1.1 200'])
  })
})

describe('other methods', () => {
  test.each(['OPTIONS', 'TRACE', 'PROPFIND', 'PURGE', 'M-SEARCH', 'QUERY'])('%s is 405 with Allow', async (method) => {
    for (const target of ['/v2/', '/v2/a/manifests/1', '/v2/a/tags/list', '/livez', '/readyz']) {
      const { port, repository } = await serve({ tags: ['1'] })
      const answer = await ask(port, method, target)
      expect(answer.status).toBe(405)
      expect(answer.headers.allow).toBe('GET, HEAD')
      expect(repository.calls).toEqual([])
    }
  })

  test('an unknown method is answered 400 and CONNECT by closing', async () => {
    const { port } = await serve()
    expect((await ask(port, 'FETCH', '/v2/')).status).toBe(400)
    const socket = await open(port)
    socket.write('CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect((await readToEnd(socket)).length).toBe(0)
  })

  test('OPTIONS * and other odd targets are 400 as the spec writes errors', async () => {
    const { port } = await serve()
    for (const target of ['*', '/v2/a\\b/manifests/x']) {
      const answer = parseAnswer((await exchange(port, requestText('OPTIONS', target))).raw)
      expect(answer.status).toBe(400)
      expect(JSON.parse(answer.body.toString()).errors[0].code).toBe('UNSUPPORTED')
    }
  })
})

test.each(['/v2/a/_entrepot/versions/resolve', '/v2/a/_oci/ext/discover', '/v2/_oci/ext/discover'])(
  'a push to %s is 405, and no configuration would change that',
  async (target) => {
    const { port } = await serve()
    const answer = await ask(port, 'POST', target, { 'Content-Length': '0' })
    expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD'])
    expect(answer.body.toString()).not.toContain('hosted')
  },
)
