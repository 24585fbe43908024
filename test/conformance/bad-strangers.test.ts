/** What one user can learn of another's pushes by asking in all ways: no more than of what was never there. */
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { exchange, type RawAnswer, requestText } from '../registry/serve.ts'
import { run } from '../support/process.ts'
import { type Daemon, startDaemon } from '../support/daemon.ts'
import { expectRefused } from './pushed.ts'

/** Bob may push beside Alice, into a repository that both write and into one of his own; of hers he may see nothing. */
const rules = [
  { users: ['alice', 'bob'], repositories: ['hosted/local/shared'], actions: ['pull', 'push', 'delete'] },
  { users: ['alice'], repositories: ['hosted/local/alice'], actions: ['pull', 'push', 'delete'] },
  { users: ['bob'], repositories: ['hosted/local/bob'], actions: ['pull', 'push', 'delete'] },
]
const secret = Buffer.from('what Alice has')
const digest = digestOf(secret)
const nowhere = digestOf(Buffer.from('what nobody has'))
const image = (config: string, size: number) =>
  Buffer.from(JSON.stringify({ schemaVersion: 2, config: { mediaType: 'a/b', digest: config, size }, layers: [] }))

const htpasswd = join(tmpdir(), `entrepot-strangers-${process.pid}`)

let daemon: Daemon

beforeAll(async () => {
  const lines = ['alice', 'bob'].map((user) => run('htpasswd', ['-nbB', '-C', '4', user, `${user}'s`]))
  await writeFile(htpasswd, (await Promise.all(lines)).map((line) => line.trim()).join('\n'), { mode: 0o600 })
  daemon = await startDaemon({ config: { dockerConfig: 'off', access: { htpasswd, rules } } })
  const stored = await as('alice', 'POST', `/v2/local/alice/blobs/uploads/?digest=${digest}`, secret)
  if (stored.status !== 201) throw new Error(`Alice's blob could not be pushed: ${stored.status}\n${daemon.log()}`)
})

afterAll(async () => {
  await daemon?.stop()
  await rm(htpasswd, { force: true })
})

describe("Alice's session", () => {
  const requests = ['GET', 'PATCH', 'PUT', 'DELETE'] as const

  test.each(requests)('is to a %s of Bob what there never was, and goes on', async (method) => {
    const location = await startedBy('alice', 'shared')
    expect((await as('alice', 'PATCH', location, secret)).headers.range).toBe('0-13')
    const query = method === 'PUT' ? `?digest=${digest}` : ''
    const unknown = location.replace(/[^/]+$/, 'f'.repeat(32))
    const [theirs, nobodys] = [
      await as('bob', method, location + query, secret),
      await as('bob', method, unknown + query, secret),
    ]
    expectRefused(theirs, 404, 'BLOB_UPLOAD_UNKNOWN')
    expect(seen(theirs)).toEqual(seen(nobodys))
    expect((await as('alice', 'GET', location)).headers.range).toBe('0-13')
    expect((await as('alice', 'DELETE', location)).status).toBe(204)
  })

  test.each(requests)('is to a %s below another repository what there never was, to herself too', async (method) => {
    const location = await startedBy('alice', 'shared')
    const elsewhere = location.replace('/local/shared/', '/local/alice/')
    const query = method === 'PUT' ? `?digest=${digest}` : ''
    expectRefused(await as('alice', method, elsewhere + query, secret), 404, 'BLOB_UPLOAD_UNKNOWN')
    const hidden = await as('bob', method, elsewhere + query, secret)
    const unknown = await as('bob', method, elsewhere.replace(/[^/]+$/, 'f'.repeat(32)) + query, secret)
    expect(seen(hidden)).toEqual(seen(unknown))
    expect((await as('alice', 'DELETE', location)).status).toBe(204)
  })
})

describe("Alice's blob", () => {
  test('is not mounted for Bob, by its repository or without', async () => {
    for (const from of ['&from=local/alice', '', '&from=hosted/local/alice']) {
      const [theirs, nobodys] = [
        await as('bob', 'POST', `/v2/local/bob/blobs/uploads/?mount=${digest}${from}`, Buffer.alloc(0)),
        await as('bob', 'POST', `/v2/local/bob/blobs/uploads/?mount=${nowhere}${from}`, Buffer.alloc(0)),
      ]
      expect([theirs.status, nobodys.status]).toEqual([202, 202])
      for (const { headers } of [theirs, nobodys]) await as('bob', 'DELETE', headers.location ?? '')
    }
    expect((await as('bob', 'GET', `/v2/local/bob/blobs/${digest}`)).status).toBe(404)
  })

  test('is not there for a manifest of Bob, whatever size he names', async () => {
    for (const size of [secret.length, 1]) {
      const put = (config: string) =>
        as('bob', 'PUT', '/v2/local/bob/manifests/1', image(config, size), { 'Content-Type': ociManifest })
      const [theirs, nobodys] = [await put(digest), await put(nowhere)]
      expectRefused(theirs, 404, 'MANIFEST_BLOB_UNKNOWN')
      expect(theirs.body.toString()).toBe(nobodys.body.toString().replaceAll(nowhere, digest))
    }
  })

  test('is not proved by its digest alone: Bob has to send the bytes', async () => {
    const other = Buffer.from('what Bob guesses')
    const answer = await as('bob', 'POST', `/v2/local/bob/blobs/uploads/?digest=${digest}`, other)
    expectRefused(answer, 400, 'DIGEST_INVALID')
    const empty = await as('bob', 'POST', `/v2/local/bob/blobs/uploads/?digest=${digest}`, Buffer.alloc(0))
    expectRefused(empty, 400, 'DIGEST_INVALID')
    expect((await as('bob', 'HEAD', `/v2/local/bob/blobs/${digest}`)).status).toBe(404)
  })
})

async function startedBy(user: string, repository: string): Promise<string> {
  const answer = await as(user, 'POST', `/v2/local/${repository}/blobs/uploads/`, Buffer.alloc(0))
  expect(answer.status).toBe(202)
  return answer.headers.location ?? ''
}

function as(user: string, method: string, target: string, body?: Uint8Array, more: Record<string, string> = {}) {
  const authorization = `Basic ${Buffer.from(`${user}:${user}'s`).toString('base64')}`
  const sent = method === 'GET' || method === 'HEAD' ? undefined : body
  const length: Record<string, string> = sent ? { 'Content-Length': String(sent.length) } : {}
  const head = requestText(method, target, { Authorization: authorization, ...length, ...more })
  return exchange(Number(new URL(daemon.url).port), Buffer.concat([Buffer.from(head), sent ?? Buffer.alloc(0)]))
}

/** All that an answer says but the time. */
function seen({ status, headers, body }: RawAnswer) {
  const { date: _date, ...rest } = headers
  return { status, headers: rest, body: body.toString() }
}
