/** tags/list and referrers: pages, filters, limits. */
import { describe, expect, test } from 'vitest'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { type Digest, digestOf, parseDigest } from '../../src/oci/digest.ts'
import { descriptorOf } from './memory-repository.ts'
import { ask, serve } from './serve.ts'

const path = '/v2/library/node/tags/list'
const subject = digestOf(Buffer.from('subject'))
const referrersPath = `/v2/library/node/referrers/${subject}`
const oneMebibyte = 1024 * 1024

describe('tags', () => {
  const tags = Array.from({ length: 2500 }, (_, index) => `v${String(index).padStart(5, '0')}`)

  async function list(query: string, all = tags) {
    const { port } = await serve({ tags: all })
    const { status, headers, body } = await ask(port, 'GET', `${path}${query}`)
    const parsed = JSON.parse(body.toString())
    return { status, link: headers.link, tags: parsed.tags, name: parsed.name, code: parsed.errors?.[0].code }
  }

  test('without n are listed whole', async () => {
    const page = await list('')
    expect(page).toEqual({ status: 200, link: undefined, tags, name: 'library/node', code: undefined })
  })

  test('of none are an empty list', async () => {
    expect(await list('', [])).toMatchObject({ status: 200, tags: [], link: undefined })
  })

  test.each([
    ['?n=2', 0, 2, '?n=2&last=v00001'],
    ['?n=2&last=v00001', 2, 4, '?n=2&last=v00003'],
    ['?n=2&last=v000015', 2, 4, '?n=2&last=v00003'],
    ['?last=v02497', 2498, 2500, undefined],
    ['?n=2&last=v02497', 2498, 2500, undefined],
    ['?n=5&last=v02497', 2498, 2500, undefined],
    ['?n=5&last=w', 2500, 2500, undefined],
    ['?n=2&last=', 0, 2, '?n=2&last=v00001'],
    ['?n=0', 0, 0, undefined],
    ['?n=1001', 0, 1000, '?n=1000&last=v00999'],
    ['?n=1000000000', 0, 1000, '?n=1000&last=v00999'],
    [`?n=${'9'.repeat(400)}`, 0, 1000, '?n=1000&last=v00999'],
    ['?n=1&last=v00001&ns=docker.io', 2, 3, '?n=1&last=v00002&ns=docker.io'],
  ])('%s is tags %i to %i', async (query, from, to, next) => {
    const page = await list(query)
    expect(page.tags).toEqual(tags.slice(from, to))
    expect(page.link).toBe(next && `<${path}${next}>; rel="next"`)
  })

  test.each(['-1', '1e309', '', 'x', '1.5', '+1', '0x10', '%201', 'NaN', 'Infinity'])('n=%s is 400', async (n) => {
    const { port, repository } = await serve({ tags })
    const answer = await ask(port, 'GET', `${path}?n=${n}`)
    expect(answer.status).toBe(400)
    expect(answer.body.toString()).toContain('PAGINATION_NUMBER_INVALID')
    expect(repository.calls).toEqual([])
  })

  test('by the links of either shape of path come complete, once each', async () => {
    const { port } = await serve({ tags })
    for (const start of [`${path}?n=700`, '/docker.io/v2/library/node/tags/list?n=999&ns=docker.io']) {
      expect(await followAll(port, start, (body) => body.tags)).toEqual(tags)
    }
  })

  test('that would fill more than 4 MiB are paged without being asked', async () => {
    const long = Array.from({ length: 40_000 }, (_, index) => `${String(index).padStart(5, '0')}${'x'.repeat(120)}`)
    const { port } = await serve({ tags: long })
    const first = await ask(port, 'GET', path)
    expect(first.body.length).toBeLessThan(4 * oneMebibyte)
    expect(first.body.length).toBeGreaterThan(3 * oneMebibyte)
    expect(await followAll(port, path, (body) => body.tags)).toEqual(long)
  })

  test('of an unknown repository are 404 NAME_UNKNOWN', async () => {
    const { port } = await serve()
    const { status, body } = await ask(port, 'GET', path)
    expect([status, JSON.parse(body.toString()).errors[0].code]).toEqual([404, 'NAME_UNKNOWN'])
  })
})

describe('referrers', () => {
  const sbom = { ...descriptorOf('sbom', 'application/spdx+json'), annotations: { 'org.example': 'é' } }
  const referrers = [descriptorOf('signature', 'application/vnd.dev.cosign'), sbom, descriptorOf('untyped')]

  test('are one index with all of their members', async () => {
    const { port } = await serve({ referrers })
    const { headers, body } = await ask(port, 'GET', referrersPath)
    expect(headers['content-type']).toBe('application/vnd.oci.image.index.v1+json')
    expect(headers).not.toHaveProperty('oci-filters-applied')
    expect(JSON.parse(body.toString())).toEqual({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: expect.arrayContaining(referrers),
    })
  })

  test('of none are an empty index', async () => {
    const { port } = await serve({ referrers: [] })
    const { status, body } = await ask(port, 'GET', referrersPath)
    expect([status, JSON.parse(body.toString()).manifests]).toEqual([200, []])
  })

  test('are filtered by artifactType, and the answer says so', async () => {
    const { port } = await serve({ referrers })
    const { headers, body } = await ask(port, 'GET', `${referrersPath}?artifactType=application/spdx%2Bjson`)
    expect(headers['oci-filters-applied']).toBe('artifactType')
    expect(JSON.parse(body.toString()).manifests).toEqual([sbom])
  })

  test('of an origin without the API are 404 NOT_FOUND, so that clients turn to the tag schema', async () => {
    const { port } = await serve()
    const { status, body } = await ask(port, 'GET', referrersPath)
    expect([status, JSON.parse(body.toString()).errors[0].code]).toEqual([404, 'NOT_FOUND'])
  })

  test('over 4 MiB come in pages, complete and filtered on each', async () => {
    const many: Descriptor[] = Array.from({ length: 90 }, (_, index) => ({
      ...descriptorOf(`r${index}`, index % 3 === 0 ? 'other/type' : 'some/type'),
      annotations: { long: 'x'.repeat(100_000) },
    }))
    const { port } = await serve({ referrers: many })
    const start = `${referrersPath}?artifactType=some%2Ftype&ns=ghcr.io`
    const first = await ask(port, 'GET', start)
    expect(first.body.length).toBeLessThan(4 * oneMebibyte)
    const all = await followAll(port, start, (body) => body.manifests.map((item: Descriptor) => item.digest))
    const wanted = many.filter((item) => item.artifactType === 'some/type').map((item) => item.digest)
    expect(all.toSorted()).toEqual(wanted.toSorted())
  })

  test('larger than a page by itself is a page of its own', async () => {
    const giants = ['a', 'b'].map((text) => ({
      ...descriptorOf(text),
      annotations: { x: 'x'.repeat(5 * oneMebibyte) },
    }))
    const { port } = await serve({ referrers: giants })
    const all = await followAll(port, referrersPath, (body) => body.manifests.map((item: Descriptor) => item.digest))
    expect(all.toSorted()).toEqual(giants.map((item) => item.digest).toSorted())
  })
})

describe('referrers that are more than memory takes', () => {
  /** In the order of digests, as a repository gives them one by one. */
  function endless(bytes: number, artifactType = 'some/type') {
    let read = 0
    const annotations = { long: 'x'.repeat(bytes) }
    function* items(after?: Digest): Generator<Descriptor> {
      for (let index = Number.parseInt(after?.slice(-8) ?? '-1', 16) + 1; ; index += 1) {
        const digest = parseDigest(`sha256:${index.toString(16).padStart(64, '0')}`)
        read += 1
        if (digest) yield { mediaType: 'application/x.one', digest, size: 1, artifactType, annotations }
      }
    }
    return { items, read: () => read }
  }

  test('are read no further than the page takes', async () => {
    const { items, read } = endless(oneMebibyte)
    const { port } = await serve({ referrers: items })
    const { headers, body } = await ask(port, 'GET', referrersPath)
    expect(JSON.parse(body.toString()).manifests).toHaveLength(3)
    expect(headers.link).toContain(`last=sha256%3A${'2'.padStart(64, '0')}`)
    expect(read()).toBe(4)
  })

  test('go on after the last one of the page before, as many as n', async () => {
    const { items, read } = endless(100)
    const { port } = await serve({ referrers: items })
    const digest = `sha256%3A${'ff'.padStart(64, '0')}`
    const { headers, body } = await ask(port, 'GET', `${referrersPath}?n=2&artifactType=some/type&last=${digest}`)
    expect(JSON.parse(body.toString()).manifests.map((item: Descriptor) => item.digest.slice(-4))).toEqual([
      '0100',
      '0101',
    ])
    const next = `<${referrersPath}?n=2&artifactType=some%2Ftype&last=sha256%3A${'101'.padStart(64, '0')}>; rel="next"`
    expect(headers.link).toBe(next)
    expect(read()).toBe(3)
  })

  test('of which the filter leaves none are an empty page that leads on', async () => {
    const { items, read } = endless(oneMebibyte)
    const { port } = await serve({ referrers: items })
    const { headers, body } = await ask(port, 'GET', `${referrersPath}?artifactType=other/type`)
    expect(JSON.parse(body.toString()).manifests).toEqual([])
    expect(headers.link).toContain('last=sha256')
    expect(read()).toBeLessThan(70)
  })

  test.each(['x', 'sha256:12'])('after %s, which is no digest, are 400', async (last) => {
    const { port } = await serve({ referrers: [] })
    const { status, body } = await ask(port, 'GET', `${referrersPath}?last=${last}`)
    expect([status, JSON.parse(body.toString()).errors[0].code]).toEqual([400, 'DIGEST_INVALID'])
  })
})

interface PageBody {
  tags: string[]
  manifests: Descriptor[]
}

async function followAll(port: number, start: string, itemsOf: (body: PageBody) => string[]): Promise<string[]> {
  const items: string[] = []
  let next: string | undefined = start
  while (next !== undefined) {
    const { status, headers, body } = await ask(port, 'GET', next)
    expect(status).toBe(200)
    items.push(...itemsOf(JSON.parse(body.toString())))
    next = headers.link === undefined ? undefined : /^<(\/[^>]*)>; rel="next"$/.exec(headers.link)?.[1]
  }
  return items
}
