import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ociManifest } from '../../src/oci/media-types.ts'
import { parseName } from '../../src/oci/name.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'
import { openUpstream } from '../support/open-upstream.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { caught } from './caught.ts'

const name = parseName('org/app') ?? expect.fail('no name')
const odd = parseName('org/odd') ?? expect.fail('no name')
const list = '/v2/org/app/tags/list'
const open: { close(): Promise<void> }[] = []

let registry: ScriptedRegistry
let upstream: Upstream

beforeEach(async () => {
  registry = await startScriptedRegistry()
  upstream = openUpstream(registry.url)
  open.push(registry, upstream)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

function page(response: ServerResponse, tags: unknown, link?: string | string[], type = 'application/json'): void {
  response.writeHead(200, { 'Content-Type': type, ...(link === undefined ? {} : { Link: link }) })
  response.end(JSON.stringify({ name, tags }))
}

function urls(): string[] {
  return registry.calls.map(({ url }) => url)
}

describe('a tag list', () => {
  it('is complete, in ASCII order, in one request of 1,000', async () => {
    for (const tag of ['b', 'a', 'B', '10', '9']) registry.putManifest(name, tag, '{}', ociManifest)
    expect(await upstream.tags(name)).toEqual(['10', '9', 'B', 'a', 'b'])
    expect(urls()).toEqual([`${list}?n=1000`])
  })

  it('is read page by page', async () => {
    const tags = Array.from({ length: 25 }, (_, index) => `t${String(index).padStart(2, '0')}`)
    for (const tag of tags) registry.putManifest(name, tag, '{}', ociManifest)
    const small = openUpstream(registry.url, { tagsPageSize: 10 })
    open.push(small)
    expect(await small.tags(name)).toEqual(tags)
    expect(urls()).toHaveLength(3)
  })

  it('does not exist where upstream says 404', async () => {
    expect(await upstream.tags(name)).toBeUndefined()
  })

  it('may be empty, which Go servers write as null', async () => {
    registry.misbehave({ times: 1 }, (_request, response) => page(response, null))
    expect(await upstream.tags(name)).toEqual([])
    registry.misbehave({ times: 1 }, (_request, response) => page(response, []))
    expect(await upstream.tags(name)).toEqual([])
  })

  it('of ECR is unsorted text/plain with absolute links and an opaque last', async () => {
    registry.misbehave({ path: /last=/ }, (_request, response) => page(response, ['a', 'm'], undefined, 'text/plain'))
    registry.misbehave({ times: 1 }, (_request, response) => {
      page(response, ['z', 'm'], `<${registry.url}${list}?last=b3BhcXVl%3D%3D&n=1000>; rel="next"`, 'text/plain')
    })
    expect(await upstream.tags(name)).toEqual(['a', 'm', 'z'])
    expect(urls()[1]).toBe(`${list}?last=b3BhcXVl%3D%3D&n=1000`)
  })

  it('of GCR carries a map of manifests that is not read', async () => {
    const manifest = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, index) => [`sha256:${index}`, { tag: ['x'] }]),
    )
    registry.misbehave({}, (_request, response) => {
      response.end(JSON.stringify({ child: ['c'], manifest, name, tags: ['1', '2'] }))
    })
    expect(await upstream.tags(name)).toEqual(['1', '2'])
  })

  it('leaves out what is no tag, and what comes twice', async () => {
    registry.misbehave({}, (_request, response) =>
      page(response, ['ok', 'ok', '', '../x', 'a b', '-x', 7, null, 'x'.repeat(129)]),
    )
    expect(await upstream.tags(name)).toEqual(['ok'])
  })

  it.each([
    ['is no JSON', 'text/plain', 'tags!'],
    ['is a web page', 'text/html', '{"tags":[]}'],
    ['is no object', 'application/json', '[]'],
    ['has no tags', 'application/json', '{"name":"org/app"}'],
    ['has tags of another shape', 'application/json', '{"tags":{"a":1}}'],
  ])('is wrong where it %s', async (_what, type, body) => {
    registry.misbehave({}, (_request, response) => void response.writeHead(200, { 'Content-Type': type }).end(body))
    expect(await caught(upstream.tags(name))).toMatchObject({ trouble: 'wrong', status: 502 })
  })
})

describe('a page size that is refused', () => {
  it.each([400, 413])('by %i is followed by smaller ones, and not asked for again', async (status) => {
    registry.misbehave({ path: /n=1000/ }, (_request, response) => void response.writeHead(status).end())
    registry.putManifest(name, 'a', '{}', ociManifest)
    expect(await upstream.tags(name)).toEqual(['a'])
    expect(await upstream.tags(name)).toEqual(['a'])
    expect(urls()).toEqual([`${list}?n=1000`, `${list}?n=100`, `${list}?n=100`])
  })

  it('is left out in the end', async () => {
    registry.misbehave({ path: /n=/ }, (_request, response) => void response.writeHead(413).end())
    registry.putManifest(name, 'a', '{}', ociManifest)
    expect(await upstream.tags(name)).toEqual(['a'])
    expect(urls()).toEqual([`${list}?n=1000`, `${list}?n=100`, list])
  })

  it('is wrong where nothing is accepted', async () => {
    registry.misbehave({}, (_request, response) => void response.writeHead(400).end())
    expect(await caught(upstream.tags(name))).toMatchObject({ trouble: 'wrong' })
    expect(urls()).toHaveLength(3)
  })

  it('is asked for again where it was the repository that upstream did not like', async () => {
    registry.misbehave({ path: /org\/odd/ }, (_request, response) => void response.writeHead(400).end())
    await caught(upstream.tags(odd))
    registry.putManifest(name, 'a', '{}', ociManifest)
    expect(await upstream.tags(name)).toEqual(['a'])
    expect(urls().at(-1)).toBe(`${list}?n=1000`)
  })
})

describe('the Link of a page', () => {
  it.each([
    ['absolute path', `<${list}?last=a>; rel="next"`],
    ['query alone', `<?last=a>; rel=next`],
    ['relation among others', `<${list}?x>; rel="first", <${list}?last=a>; title="a,b"; rel="last next"`],
    ['other scheme, as behind a TLS proxy', `<https://HOST${list}?last=a>; rel="next"`],
  ])('is followed as %s', async (_what, link) => {
    registry.misbehave({ path: /last=a/ }, (_request, response) => page(response, ['b']))
    registry.misbehave({ times: 1 }, (_request, response) => page(response, ['a'], link.replace('HOST', registry.host)))
    expect(await upstream.tags(name)).toEqual(['a', 'b'])
    expect(urls()[1]).toBe(`${list}?last=a`)
  })

  it('may stand in a line of its own among several', async () => {
    registry.misbehave({ path: /last=a/ }, (_request, response) => page(response, ['b']))
    registry.misbehave({ times: 1 }, (_request, response) => {
      page(response, ['a'], [`<${list}>; rel="first"`, `<${list}?last=a>; rel="next"`])
    })
    expect(await upstream.tags(name)).toEqual(['a', 'b'])
  })

  it.each([
    ['another host', `<http://evil.test${list}?last=a>; rel="next"`],
    ['another port', `<http://127.0.0.1:1${list}?last=a>; rel="next"`],
    ['another repository', '</v2/org/other/tags/list?last=a>; rel="next"'],
    ['another path', '</v2/org/app/tags/list/../../../_catalog>; rel="next"'],
    ['userinfo', `<http://user:secret@HOST${list}?last=a>; rel="next"`],
    ['nothing', '<http://>; rel="next"'],
  ])('is wrong where it leads to %s', async (_what, link) => {
    registry.misbehave({}, (_request, response) => page(response, ['a'], link.replace('HOST', registry.host)))
    const error = await caught(upstream.tags(name))
    expect(error).toMatchObject({ trouble: 'wrong', status: 502 })
    expect(error.detail).not.toContain('secret')
    expect(urls()).toHaveLength(1)
  })

  it('is not followed in circles', async () => {
    registry.misbehave({}, (_request, response) => page(response, ['a'], `<${list}?n=1000>; rel="next"`))
    expect((await caught(upstream.tags(name))).detail).toContain('circle')
    expect(urls()).toHaveLength(1)
  })

  it('is followed for 200 pages and no more', async () => {
    let pages = 0
    registry.misbehave({}, (_request, response) => {
      pages += 1
      page(response, [`t${pages}`], `<${list}?last=t${pages}>; rel="next"`)
    })
    expect((await caught(upstream.tags(name))).detail).toContain('200 pages')
    expect(pages).toBe(200)
  })

  it('is wrong where its page does not exist', async () => {
    registry.misbehave({ times: 1 }, (_request, response) => page(response, ['a'], `<${list}?last=a>; rel="next"`))
    expect(await caught(upstream.tags(name))).toMatchObject({ trouble: 'wrong' })
  })
})

describe('a list that is too long', () => {
  it('has more than 100,000 tags', async () => {
    const tags = Array.from({ length: 100_001 }, (_, index) => `t${index}`)
    registry.misbehave({}, (_request, response) => page(response, tags))
    expect((await caught(upstream.tags(name))).detail).toContain('100000 items')
  })

  it('is said to be too long where it has more elements than are read', async () => {
    registry.misbehave({}, (_request, response) => void response.end(`{"tags":[${'0,'.repeat(2_000_001)}0]}`))
    const error = await caught(upstream.tags(name))
    expect(error).toMatchObject({ trouble: 'wrong', status: 502 })
    expect(error.detail).toBe('registry.test sends a list that is too long: more than 2000000 elements.')
  })

  it.each([
    ['a string', `{"tags":["${'x'.repeat(64 * 1024 + 1)}"]}`, ' (a string longer than 65536 bytes)'],
    ['a number', `{"tags":[${'1'.repeat(70)}]}`, ' (a number longer than 64 digits)'],
    ['a nesting', `{"tags":${'['.repeat(33)}${']'.repeat(33)}}`, ' (nested deeper than 32 levels)'],
    ['text that is no JSON', '{"tags":[canary]}', ''],
  ])('is told from one that %s makes malformed', async (_what, body, reason) => {
    registry.misbehave({}, (_request, response) => void response.end(body))
    expect((await caught(upstream.tags(name))).detail).toBe(`registry.test sends a list that is malformed${reason}.`)
  })

  it('has more than 32 MiB over all its pages', async () => {
    const filler = ' '.repeat(20 * 1024 * 1024)
    let pages = 0
    registry.misbehave({}, (_request, response) => {
      pages += 1
      response.setHeader('Link', `<${list}?last=${pages}>; rel="next"`)
      response.end(`{"tags":["t${pages}"]}${filler}`)
    })
    expect(await caught(upstream.tags(name))).toMatchObject({ trouble: 'wrong' })
    expect(pages).toBe(2)
  })
})

describe('a page that fails', () => {
  it('is asked for again, without the pages before it', async () => {
    registry.misbehave({ path: /last=a/ }, (_request, response) => page(response, ['b']))
    registry.misbehave({ path: /last=a/, times: 2 }, (request) => void request.socket.destroy())
    registry.misbehave({ path: /n=1000/ }, (_request, response) =>
      page(response, ['a'], `<${list}?last=a>; rel="next"`),
    )
    expect(await upstream.tags(name)).toEqual(['a', 'b'])
    expect(registry.count('GET', /n=1000/)).toBe(1)
    expect(registry.count('GET', /last=a/)).toBe(3)
  })

  it('fails the whole list, and never shortens it', async () => {
    registry.misbehave({ path: /last=a/ }, (_request, response) => void response.writeHead(503).end())
    registry.misbehave({ path: /n=1000/ }, (_request, response) =>
      page(response, ['a'], `<${list}?last=a>; rel="next"`),
    )
    expect(await caught(upstream.tags(name))).toMatchObject({ trouble: 'unreachable', status: 503 })
  })

  it('leaves no more than the time of one call to all of them', async () => {
    let pages = 0
    registry.misbehave({}, (_request, response) => {
      pages += 1
      setTimeout(() => page(response, ['a'], `<${list}?last=${pages}>; rel="next"`), 50)
    })
    const error = await caught(upstream.tags(name, { within: 1_000 }))
    expect(error).toMatchObject({ code: 'UPSTREAM_TIMEOUT' })
    expect(pages).toBeGreaterThan(1)
    expect(pages).toBeLessThan(25)
  })
})
