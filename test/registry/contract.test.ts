/** The headers of every route, GET and HEAD, over a real server. */
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { OciError } from '../../src/oci/errors.ts'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import { type MemoryContent, absentDigest, descriptorOf } from './memory-repository.ts'
import { ask, serve } from './serve.ts'

const manifest = Buffer.from('{"schemaVersion":2}')
const blob = Buffer.from('layer bytes')
const manifestDigest = digestOf(manifest)
const blobDigest = digestOf(blob)

const content: MemoryContent = {
  manifests: { latest: { bytes: manifest, mediaType: ociManifest } },
  blobs: [blob, Buffer.alloc(0)],
  tags: ['1.0.0', 'latest'],
  referrers: [descriptorOf('sbom', 'application/spdx+json')],
  freshness: { cache: 'stale', age: 61, warning: 'docker.io did not answer.' },
}

const always = {
  'docker-distribution-api-version': 'registry/2.0',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; sandbox",
}
const fresh = { 'entrepot-cache': 'stale', age: '61', warning: '299 - "docker.io did not answer."' }

interface Row {
  route: string
  status: number
  headers: Record<string, string>
  body?: string
}

const found: Row[] = [
  { route: '/v2/', status: 200, headers: { 'content-type': 'application/json', 'content-length': '2' }, body: '{}' },
  { route: '/v2', status: 200, headers: { 'content-type': 'application/json', 'content-length': '2' }, body: '{}' },
  { route: '/livez', status: 200, headers: { 'content-type': 'application/json', 'content-length': '2' }, body: '{}' },
  { route: '/readyz', status: 200, headers: { 'content-type': 'application/json', 'content-length': '2' }, body: '{}' },
  ...['latest', manifestDigest].map((reference) => ({
    route: `/v2/library/alpine/manifests/${reference}`,
    status: 200,
    headers: {
      'content-type': ociManifest,
      'content-length': String(manifest.length),
      'docker-content-digest': manifestDigest,
      etag: `"${manifestDigest}"`,
      ...fresh,
    },
    body: manifest.toString(),
  })),
  {
    route: `/v2/library/alpine/blobs/${blobDigest}`,
    status: 200,
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(blob.length),
      'accept-ranges': 'bytes',
      'docker-content-digest': blobDigest,
      etag: `"${blobDigest}"`,
      ...fresh,
    },
    body: blob.toString(),
  },
  {
    route: `/v2/library/alpine/blobs/${digestOf(Buffer.alloc(0))}`,
    status: 200,
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': '0',
      'accept-ranges': 'bytes',
      'docker-content-digest': digestOf(Buffer.alloc(0)),
      etag: `"${digestOf(Buffer.alloc(0))}"`,
      ...fresh,
    },
    body: '',
  },
  {
    route: '/v2/library/alpine/tags/list',
    status: 200,
    headers: { 'content-type': 'application/json', ...fresh },
    body: '{"name":"library/alpine","tags":["1.0.0","latest"]}',
  },
  {
    route: `/v2/library/alpine/referrers/${manifestDigest}?artifactType=application%2Fspdx%2Bjson`,
    status: 200,
    headers: { 'content-type': ociIndex, 'oci-filters-applied': 'artifactType', ...fresh },
  },
]

const errors: (Row & { code: string })[] = [
  {
    route: '/v2/library/alpine/manifests/absent',
    status: 404,
    code: 'MANIFEST_UNKNOWN',
    headers: { 'entrepot-cache': 'miss' },
  },
  {
    route: `/v2/library/alpine/manifests/${absentDigest}`,
    status: 404,
    code: 'MANIFEST_UNKNOWN',
    headers: { 'entrepot-cache': 'miss' },
  },
  { route: '/v2/library/alpine/manifests/sha256:bad', status: 400, code: 'DIGEST_INVALID', headers: {} },
  { route: '/v2/library/alpine/manifests/.bad', status: 404, code: 'MANIFEST_UNKNOWN', headers: {} },
  {
    route: `/v2/library/alpine/blobs/${absentDigest}`,
    status: 404,
    code: 'BLOB_UNKNOWN',
    headers: { 'entrepot-cache': 'miss' },
  },
  { route: '/v2/library/alpine/blobs/bad', status: 400, code: 'DIGEST_INVALID', headers: {} },
  { route: '/v2/library/alpine/referrers/bad', status: 400, code: 'DIGEST_INVALID', headers: {} },
  { route: '/v2/library/alpine/tags/list?n=x', status: 400, code: 'PAGINATION_NUMBER_INVALID', headers: {} },
  { route: '/v2/library/alpine/blobs/uploads/one', status: 404, code: 'BLOB_UPLOAD_UNKNOWN', headers: {} },
  { route: '/v2/Library/alpine/manifests/latest', status: 400, code: 'NAME_INVALID', headers: {} },
  { route: '/v2/_catalog', status: 404, code: 'NOT_FOUND', headers: {} },
  { route: '/', status: 404, code: 'NOT_FOUND', headers: {} },
]

describe('every route', () => {
  test.each(found)('$route has the headers of the contract', async (row) => {
    const { port } = await serve(content)
    const answer = await ask(port, 'GET', row.route)
    expect(answer.status).toBe(row.status)
    expect(answer.headers).toMatchObject({ ...always, ...row.headers })
    expect(answer.headers['content-length']).toBe(String(answer.body.length))
    expect(answer.body.toString()).toContain(row.body ?? 'manifests')
  })

  test.each(errors)('$route answers $status $code as the spec writes errors', async (row) => {
    const { port } = await serve(content)
    const answer = await ask(port, 'GET', row.route)
    expect(answer.status).toBe(row.status)
    expect(answer.headers).toMatchObject({ ...always, 'content-type': 'application/json', ...row.headers })
    expect(JSON.parse(answer.body.toString())).toEqual({
      errors: [{ code: row.code, message: expect.stringMatching(/^[A-Z"].*\.$/) }],
    })
  })

  test.each([...found, ...errors])('HEAD $route has the headers of GET and no body', async ({ route }) => {
    const { port } = await serve(content)
    const [get, head] = [await ask(port, 'GET', route), await ask(port, 'HEAD', route)]
    expect(head.status).toBe(get.status)
    expect(withoutDate(head.headers)).toEqual(withoutDate(get.headers))
    expect(head.body.length).toBe(0)
  })

  test('HEAD of a blob opens no body', async () => {
    const { port, repository } = await serve(content)
    await ask(port, 'HEAD', `/v2/library/alpine/blobs/${blobDigest}`)
    expect(repository.calls).toEqual(['stat'])
  })

  test('an answer by digest without age or warning has neither header', async () => {
    const { port } = await serve({ ...content, freshness: { cache: 'hit' } })
    const { headers } = await ask(port, 'GET', `/v2/library/alpine/manifests/${manifestDigest}`)
    expect(headers['entrepot-cache']).toBe('hit')
    expect(headers).not.toHaveProperty('age')
    expect(headers).not.toHaveProperty('warning')
  })

  test('a warning is cut to 4096 bytes of quoted ASCII', async () => {
    const warning = `a "b" \\ \r\nX: y é ${'"'.repeat(5000)}`
    const { port } = await serve({ ...content, freshness: { cache: 'stale', warning } })
    const { headers } = await ask(port, 'GET', '/v2/library/alpine/manifests/latest')
    expect(headers.warning).toMatch(/^299 - "a \\"b\\" \\\\ {3}X: y {3}(?:\\")+"$/)
    expect(headers.warning?.length).toBeLessThanOrEqual(4096)
    expect(headers).not.toHaveProperty('x')
  })
})

describe('ns', () => {
  test('is given to resolve and its namespace echoed, on errors too', async () => {
    const { port, resolved } = await serve(content)
    for (const reference of ['latest', 'absent']) {
      const { headers } = await ask(port, 'GET', `/v2/library/alpine/manifests/${reference}?ns=docker.io`)
      expect(headers['oci-namespace']).toBe('docker.io')
    }
    expect(resolved).toEqual(['library/alpine docker.io', 'library/alpine docker.io'])
  })

  test('is not echoed where it was not used', async () => {
    const { port } = await serve(content)
    expect((await ask(port, 'GET', '/v2/library/alpine/manifests/latest')).headers).not.toHaveProperty('oci-namespace')
  })

  test('of an unknown upstream answers what resolve throws', async () => {
    const { port, repository } = await serve(content, { resolve: knowsNone })
    const answer = await ask(port, 'GET', '/v2/library/alpine/manifests/latest?ns=evil.example')
    expect(answer.status).toBe(404)
    expect(answer.body.toString()).toContain('evil.example')
    expect(repository.calls).toEqual([])
  })
})

describe('failures', () => {
  test('an OciError is answered with its status, code and Retry-After', async () => {
    const failure = new OciError('TOOMANYREQUESTS', 'docker.io asks to wait.', { retryAfter: 29.2 })
    const { port } = await serve({ ...content, failure })
    const answer = await ask(port, 'GET', '/v2/library/alpine/manifests/latest')
    expect(answer.status).toBe(429)
    expect(answer.headers['retry-after']).toBe('30')
  })

  test('anything else is 500, says nothing to the client and all to the log', async () => {
    const { port, logged } = await serve({ ...content, failure: new TypeError('secret detail') })
    const answer = await ask(port, 'GET', '/v2/library/alpine/tags/list')
    expect(answer.status).toBe(500)
    expect(answer.body.toString()).not.toContain('secret')
    expect(logged).toEqual([expect.stringContaining('request failed')])
  })

  test('a media type that cannot stand in a header is an error, not a broken connection', async () => {
    const { port } = await serve({ manifests: { latest: { bytes: manifest, mediaType: 'a/b\r\nX: y' } } })
    for (const method of ['GET', 'HEAD']) {
      const answer = await ask(port, method, '/v2/library/alpine/manifests/latest')
      expect(answer.status).toBe(500)
      expect(answer.headers['content-type']).toBe('application/json')
    }
  })

  test('what a client says of itself is not logged', async () => {
    const { port, logged } = await serve({ ...content, failure: new Error('no') })
    await ask(port, 'GET', '/v2/library/alpine/tags/list?n=7', { Authorization: 'Basic c2VjcmV0' })
    expect(logged.join()).not.toMatch(/c2VjcmV0|n=7/)
  })
})

describe('conditional requests', () => {
  test.each([`"${manifestDigest}"`, `"x", W/"${manifestDigest}"`, '*'])('If-None-Match %s is 304', async (etag) => {
    const { port } = await serve(content)
    for (const method of ['GET', 'HEAD']) {
      const answer = await ask(port, method, '/v2/a/manifests/latest', { 'If-None-Match': etag })
      expect(answer.status).toBe(304)
      expect(answer.headers).toMatchObject({ ...always, etag: `"${manifestDigest}"` })
      expect(answer.body.length).toBe(0)
    }
  })

  test.each([`"${blobDigest}"`, `"x", W/"${blobDigest}"`, '*'])('If-None-Match %s of a blob is 304', async (etag) => {
    const { port } = await serve(content)
    for (const method of ['GET', 'HEAD']) {
      const answer = await ask(port, method, `/v2/a/blobs/${blobDigest}`, { 'If-None-Match': etag })
      expect(answer.status).toBe(304)
      expect(answer.headers).toMatchObject({ ...always, ...fresh, etag: `"${blobDigest}"` })
      expect(answer.body.length).toBe(0)
    }
  })

  test('304 for a blob opens no body', async () => {
    const { port, repository } = await serve(content)
    await ask(port, 'GET', `/v2/a/blobs/${blobDigest}`, { 'If-None-Match': `"${blobDigest}"` })
    expect(repository.calls).toEqual(['stat'])
  })

  test.each(['bytes=0-1', 'bytes=99-', 'bytes=x'])('If-None-Match comes before the Range %s', async (range) => {
    const { port } = await serve(content)
    const headers = { 'If-None-Match': `"${blobDigest}"`, Range: range }
    expect((await ask(port, 'GET', `/v2/a/blobs/${blobDigest}`, headers)).status).toBe(304)
  })

  test('If-None-Match with the digest of a blob that is not there is 404', async () => {
    const { port } = await serve(content)
    for (const method of ['GET', 'HEAD']) {
      const answer = await ask(port, method, `/v2/a/blobs/${absentDigest}`, { 'If-None-Match': `"${absentDigest}"` })
      expect(answer.status).toBe(404)
    }
  })

  test('a blob that HEAD does not show but GET does is sent whole', async () => {
    const { port, repository } = await serve(content)
    repository.stat = async () => undefined
    const answer = await ask(port, 'GET', `/v2/a/blobs/${blobDigest}`, { 'If-None-Match': `"${blobDigest}"` })
    expect(answer.status).toBe(200)
    expect(answer.body.equals(blob)).toBe(true)
  })

  test('another ETag gets the manifest', async () => {
    const { port } = await serve(content)
    const answer = await ask(port, 'GET', '/v2/a/manifests/latest', { 'If-None-Match': '"sha256:0"' })
    expect(answer.status).toBe(200)
  })
})

test('readyz says why it is not ready', async () => {
  const { port } = await serve({}, { ready: () => 'The catalog is being opened.' })
  const answer = await ask(port, 'GET', '/readyz')
  expect(answer.status).toBe(503)
  expect(answer.body.toString()).toContain('The catalog is being opened.')
})

function knowsNone(): never {
  throw new OciError('NAME_UNKNOWN', 'No upstream evil.example is configured.')
}

function withoutDate(headers: Record<string, string>): Record<string, string> {
  return { ...headers, date: '' }
}
