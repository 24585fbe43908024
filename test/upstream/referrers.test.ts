import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import { parseName } from '../../src/oci/name.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'
import { openUpstream } from '../support/open-upstream.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { caught } from './caught.ts'

const name = parseName('org/app') ?? expect.fail('no name')
const subject = digestOf(Buffer.from('subject'))
const path = `/v2/org/app/referrers/${subject}`
const open: { close(): Promise<void> }[] = []

let registry: ScriptedRegistry
let upstream: Upstream

beforeEach(async () => {
  registry = await startScriptedRegistry({ referrers: true })
  upstream = openUpstream(registry.url)
  open.push(registry, upstream)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

function entry(text: string, more: object = {}) {
  return { mediaType: ociManifest, digest: digestOf(Buffer.from(text)), size: text.length, ...more }
}

function answer(status: number, headers: Record<string, string>, body: unknown = ''): void {
  registry.misbehave({}, (_request, response) => {
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  })
}

describe('referrers', () => {
  it('come with what clients read in them', async () => {
    const manifest = JSON.stringify({
      schemaVersion: 2,
      subject: { digest: subject },
      artifactType: 'application/vnd.example',
      annotations: { by: 'me' },
    })
    const digest = registry.putManifest(name, undefined, manifest, ociManifest)
    expect(await upstream.referrers(name, subject)).toEqual([
      {
        mediaType: ociManifest,
        digest,
        size: manifest.length,
        artifactType: 'application/vnd.example',
        annotations: { by: 'me' },
      },
    ])
    expect(registry.calls.map(({ url }) => url)).toEqual([path])
  })

  it('may be none', async () => {
    expect(await upstream.referrers(name, subject)).toEqual([])
  })

  it('are read page by page, and each is told once', async () => {
    const [one, two] = [entry('one'), entry('two')]
    registry.misbehave({ path: /page=2/ }, (_request, response) => {
      response.writeHead(200, { 'Content-Type': ociIndex }).end(JSON.stringify({ manifests: [one, two] }))
    })
    registry.misbehave({ times: 1 }, (_request, response) => {
      response.writeHead(200, { 'Content-Type': ociIndex, Link: `<${path}?page=2>; rel="next"` })
      response.end(JSON.stringify({ manifests: [one] }))
    })
    expect(await upstream.referrers(name, subject)).toEqual([one, two])
  })

  it('leave out digests that nobody can ask us for', async () => {
    answer(200, { 'Content-Type': ociIndex }, { manifests: [entry('one'), entry('x', { digest: 'blake3:abc' })] })
    expect(await upstream.referrers(name, subject)).toEqual([entry('one')])
  })
})

describe('an upstream has no referrers API where it answers', () => {
  it.each([400, 404, 405, 406])('%i', async (status) => {
    answer(status, {})
    expect(await upstream.referrers(name, subject)).toBeUndefined()
    expect(registry.calls).toHaveLength(1)
  })

  it.each(['https://github.com/org/app', '/v2/elsewhere'])('303 to %s, which is not followed', async (location) => {
    answer(303, { Location: location })
    expect(await upstream.referrers(name, subject)).toBeUndefined()
    expect(registry.calls).toHaveLength(1)
  })

  it.each(['application/json', 'text/html', ociManifest, ''])('200 with the media type %s', async (type) => {
    answer(200, type === '' ? {} : { 'Content-Type': type }, '{}')
    expect(await upstream.referrers(name, subject)).toBeUndefined()
  })
})

describe('a list of referrers that goes on and on', () => {
  it('is given up after 8 MiB', async () => {
    let pages = 0
    registry.misbehave({}, (_request, response) => {
      pages += 1
      response.writeHead(200, { 'Content-Type': ociIndex, Link: `<${path}?page=${pages}>; rel="next"` })
      response.end(JSON.stringify({ manifests: [entry(`${pages}`)] }).padEnd(1024 * 1024))
    })
    expect(await caught(upstream.referrers(name, subject))).toMatchObject({ trouble: 'wrong', status: 502 })
    expect(pages).toBe(9)
  })
})

describe('referrers could not be found out where upstream answers', () => {
  it.each([
    [307, 'wrong'],
    [401, 'denied'],
    [403, 'denied'],
    [410, 'wrong'],
    [429, 'limited'],
    [500, 'unreachable'],
  ])('%i', async (status, trouble) => {
    answer(status, { Location: 'http://elsewhere.test/' })
    expect(await caught(upstream.referrers(name, subject))).toMatchObject({ trouble })
  })

  it.each([
    ['no JSON', '{'],
    ['no manifests', '{}'],
    ['an entry without a size', { manifests: [entry('x', { size: undefined })] }],
    ['an entry without a digest', { manifests: [entry('x', { digest: 5 })] }],
    ['an entry that is no object', { manifests: ['x'] }],
    ['more than 4 MiB', `{"manifests":[]}${' '.repeat(4 * 1024 * 1024)}`],
    ['nesting without end', `{"manifests":${'['.repeat(100_000)}`],
  ])('with %s', async (_what, body) => {
    answer(200, { 'Content-Type': ociIndex }, body)
    expect(await caught(upstream.referrers(name, subject))).toMatchObject({ trouble: 'wrong', status: 502 })
  })
})
