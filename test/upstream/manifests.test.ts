import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { parseName, parseTag } from '../../src/oci/name.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'
import { openUpstream } from '../support/open-upstream.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { caught } from './caught.ts'

const name = parseName('library/alpine') ?? expect.fail('no name')
const tag = parseTag('3.22') ?? expect.fail('no tag')
const bytes = Buffer.from('{"schemaVersion":2,"config":{},"layers":[]}')
const digest = digestOf(bytes)
const manifestPath = /^\/v2\/library\/alpine\/manifests\//

let registry: ScriptedRegistry
let upstream: Upstream

beforeEach(async () => {
  registry = await startScriptedRegistry()
  registry.putManifest(name, tag, bytes, ociManifest)
  upstream = openUpstream(registry.url)
})
afterEach(async () => {
  await upstream.close()
  await registry.close()
})

function answerWith(status: number, headers: Record<string, string> = {}, body = ''): void {
  registry.misbehave({ path: manifestPath }, (_request, response) => void response.writeHead(status, headers).end(body))
}

describe('a manifest', () => {
  it('comes with its bytes, its type and the digest that upstream says', async () => {
    const manifest = await upstream.getManifest(name, { tag })
    expect(manifest).toEqual({ bytes, mediaType: ociManifest, digest })
    expect(registry.calls.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /v2/library/alpine/manifests/3.22',
    ])
  })

  it('is asked for by digest where a digest is wanted', async () => {
    expect((await upstream.getManifest(name, { digest }))?.bytes).toEqual(bytes)
    expect(registry.calls[0]?.url).toBe(`/v2/library/alpine/manifests/${digest}`)
  })

  it('is asked for with the full Accept set, the wildcard last', async () => {
    await upstream.getManifest(name, { tag })
    await upstream.headManifest(name, { tag })
    const accepts = registry.calls.map(({ headers }) => headers.accept?.split(', '))
    const full = [
      'application/vnd.oci.image.index.v1+json',
      'application/vnd.oci.image.manifest.v1+json',
      'application/vnd.docker.distribution.manifest.list.v2+json',
      'application/vnd.docker.distribution.manifest.v2+json',
      '*/*',
    ]
    expect(accepts).toEqual([full, full])
  })

  it('keeps its exact media type without the parameters that upstream adds', async () => {
    answerWith(200, { 'Content-Type': `${ociManifest}; charset=utf-8` }, bytes.toString())
    expect((await upstream.getManifest(name, { tag }))?.mediaType).toBe(ociManifest)
  })

  it('is found below the path of an upstream that has one', async () => {
    const prefixed = openUpstream(`${registry.url}/mirror/`)
    expect(await prefixed.getManifest(name, { tag })).toBeUndefined()
    expect(registry.calls[0]?.url).toBe('/mirror/v2/library/alpine/manifests/3.22')
    await prefixed.close()
  })

  it('does not exist where upstream says 404', async () => {
    registry.deleteTag(name, tag)
    expect(await upstream.getManifest(name, { tag })).toBeUndefined()
    expect(await upstream.headManifest(name, { tag })).toBeUndefined()
  })

  it.each(['text/html', 'text/html; charset=utf-8', 'application/octet-stream', 'image/png', 'nonsense'])(
    'is wrong when it comes as %s',
    async (type) => {
      answerWith(200, { 'Content-Type': type }, '<html>Please log in to the wireless network</html>')
      const error = await caught(upstream.getManifest(name, { tag }))
      expect(error).toMatchObject({ trouble: 'wrong', status: 502, code: 'UPSTREAM_INVALID' })
      expect(await caught(upstream.headManifest(name, { tag }))).toMatchObject({ trouble: 'wrong' })
    },
  )

  it('is wrong without a type, and when it is empty', async () => {
    answerWith(200, {}, '{}')
    expect(await caught(upstream.getManifest(name, { tag }))).toMatchObject({ trouble: 'wrong' })
    answerWith(200, { 'Content-Type': ociManifest })
    expect(await caught(upstream.getManifest(name, { tag }))).toMatchObject({ trouble: 'wrong' })
  })

  it('may have 4 MiB and not one byte more', async () => {
    const largest = ' '.repeat(4 * 1024 * 1024)
    const stop = registry.misbehave({}, (_request, response) => {
      response.writeHead(200, { 'Content-Type': ociManifest }).end(largest)
    })
    expect((await upstream.getManifest(name, { tag }))?.bytes.length).toBe(largest.length)
    stop()
    registry.misbehave({}, (_request, response) => {
      response.writeHead(200, { 'Content-Type': ociManifest })
      response.write(largest)
      response.end('x')
    })
    expect(await caught(upstream.getManifest(name, { tag }))).toMatchObject({ trouble: 'wrong' })
  })

  it('whose body breaks is asked for again', async () => {
    registry.misbehave({ path: manifestPath, times: 1 }, (request, response) => {
      response.writeHead(200, { 'Content-Type': ociManifest, 'Content-Length': bytes.length })
      response.write('{', () => request.socket.destroy())
    })
    expect((await upstream.getManifest(name, { tag }))?.bytes).toEqual(bytes)
    expect(registry.count('GET', manifestPath)).toBe(2)
  })
})

describe('the HEAD of a manifest', () => {
  it('tells its digest in one request', async () => {
    expect(await upstream.headManifest(name, { tag })).toEqual({ digest })
    expect(registry.calls).toHaveLength(1)
    expect(registry.count('HEAD', manifestPath)).toBe(1)
  })

  it.each([undefined, 'sha256:abc'])('leaves it to a GET where upstream gives %s for a digest', async (given) => {
    answerWith(200, { 'Content-Type': ociManifest, ...(given ? { 'Docker-Content-Digest': given } : {}) })
    expect(await upstream.headManifest(name, { tag })).toEqual({ digest: undefined })
  })

  it('leaves everything to a GET where upstream has no HEAD', async () => {
    answerWith(405)
    expect(await upstream.headManifest(name, { tag })).toEqual({ digest: undefined })
  })
})

describe('an answer that is neither found nor absent', () => {
  it.each([
    [401, 'denied', 403, 'DENIED'],
    [403, 'denied', 403, 'DENIED'],
    [451, 'denied', 403, 'DENIED'],
    [429, 'limited', 429, 'TOOMANYREQUESTS'],
    [500, 'unreachable', 503, 'UNAVAILABLE'],
    [502, 'unreachable', 503, 'UNAVAILABLE'],
    [503, 'unreachable', 503, 'UNAVAILABLE'],
    [504, 'unreachable', 504, 'UPSTREAM_TIMEOUT'],
    [204, 'wrong', 502, 'UPSTREAM_INVALID'],
    [304, 'wrong', 502, 'UPSTREAM_INVALID'],
    [300, 'wrong', 502, 'UPSTREAM_INVALID'],
    [400, 'wrong', 502, 'UPSTREAM_INVALID'],
    [410, 'wrong', 502, 'UPSTREAM_INVALID'],
    [418, 'wrong', 502, 'UPSTREAM_INVALID'],
  ])('%i is %s', async (status, trouble, ours, code) => {
    answerWith(status)
    const error = await caught(upstream.getManifest(name, { tag }))
    expect(error).toMatchObject({ trouble, status: ours, code, upstream: 'registry.test' })
    expect(error.detail).toContain('registry.test')
    expect(error.detail).toContain(String(status))
  })

  it('is quoted in the sentence, made fit to be shown', async () => {
    const message = 'no\u001b[31m pull\r\nfor https://cdn.test/x?X-Amz-Signature=canary you'
    answerWith(403, {}, JSON.stringify({ errors: [{ code: 'DENIED', message }] }))
    const { detail } = await caught(upstream.getManifest(name, { tag }))
    expect(detail).toBe('registry.test answered 403 (DENIED: no [31m pull for https://cdn.test/x you).')
  })

  it.each([
    ['is no JSON', 'oops'],
    ['has no errors', '{}'],
    ['has errors of another shape', '{"errors":[7]}'],
    ['is larger than 16 KiB', JSON.stringify({ errors: [{ message: 'x'.repeat(17_000) }] })],
  ])('is not quoted when its body %s', async (_what, body) => {
    answerWith(403, {}, body)
    const { detail, trouble } = await caught(upstream.getManifest(name, { tag }))
    expect({ detail, trouble }).toEqual({ detail: 'registry.test answered 403.', trouble: 'denied' })
  })

  it('tells when to come back', async () => {
    answerWith(429, { 'Retry-After': '7' })
    expect(await caught(upstream.getManifest(name, { tag }))).toMatchObject({ retryAfter: 7 })
  })
})
