/** Manifests as real tools write them, and the corpus of documents that can be read two ways. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { OciError } from '../../src/oci/errors.ts'
import { maxManifestBytes, readDescriptor, readManifest } from '../../src/oci/manifest.ts'
import { dockerList, dockerManifest, ociIndex, ociManifest } from '../../src/oci/media-types.ts'

const one = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(Buffer.from('1')), size: 1 }
const two = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digestOf(Buffer.from('2')), size: 2 }
const child = { mediaType: ociManifest, digest: digestOf(Buffer.from('3')), size: 3 }
const image = { schemaVersion: 2, mediaType: ociManifest, config: one, layers: [two] }
const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [child] }

function read(document: unknown, mediaType: string) {
  return readManifest(Buffer.from(JSON.stringify(document)), mediaType)
}

function refusal(bytes: Uint8Array, mediaType: string): [string, number] {
  try {
    readManifest(bytes, mediaType)
  } catch (error) {
    if (error instanceof OciError) return [error.code, error.status]
    throw error
  }
  throw new Error('it was accepted')
}

describe('facts', () => {
  test('of an image are its config and its layers', () => {
    expect(read(image, ociManifest)).toEqual({ kind: 'image', mediaType: ociManifest, children: [one, two] })
  })

  test('of an image without mediaType, as Helm pushes it, have the Content-Type', () => {
    const chart = {
      schemaVersion: 2,
      config: one,
      layers: [two],
      annotations: { 'org.opencontainers.image.title': 'x' },
    }
    expect(read(chart, ociManifest)).toMatchObject({
      kind: 'image',
      mediaType: ociManifest,
      annotations: chart.annotations,
    })
  })

  test('of an index are its manifests with their platforms', () => {
    const platform = { os: 'linux', architecture: 'arm', variant: 'v7' }
    const facts = read({ ...index, manifests: [{ ...child, platform: { ...platform, features: ['x'] } }] }, ociIndex)
    expect(facts).toEqual({ kind: 'index', mediaType: ociIndex, children: [{ ...child, platform }] })
  })

  test.each([
    [dockerManifest, { ...image, mediaType: dockerManifest }, 'image'],
    [dockerList, { ...index, mediaType: dockerList }, 'index'],
  ])('of %s are read alike', (mediaType, document, kind) => {
    expect(read(document, mediaType)).toMatchObject({ kind })
  })

  test('have subject, artifactType and annotations', () => {
    const more = { subject: child, artifactType: 'application/spdx+json', annotations: { a: 'b' } }
    expect(read({ ...image, ...more }, ociManifest)).toMatchObject(more)
    expect(read({ ...index, ...more }, ociIndex)).toMatchObject(more)
  })

  test('never have the urls of a descriptor', () => {
    const layers = [{ ...two, urls: ['http://169.254.169.254/'] }]
    expect(JSON.stringify(read({ ...image, layers }, ociManifest))).not.toContain('169.254')
  })

  test.each([
    'application/vnd.oci.image.layer.nondistributable.v1.tar',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
    'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  ])('mark a layer of type %s as foreign', (mediaType) => {
    expect(read({ ...image, layers: [two, { ...two, mediaType }] }, ociManifest).children).toEqual([
      one,
      two,
      { ...two, mediaType, foreign: true },
    ])
  })

  test('take the null that Go writes for an empty list', () => {
    expect(read({ ...index, manifests: null, layers: null, subject: null }, ociIndex).children).toEqual([])
    expect(read({ ...image, layers: null, annotations: null }, ociManifest).children).toEqual([one])
  })

  test('of a manifest of almost 4 MiB are read', () => {
    const annotations = Object.fromEntries(Array.from({ length: 390 }, (_, key) => [`k${key}`, 'x'.repeat(10_000)]))
    expect(read({ ...image, annotations }, ociManifest).annotations).toEqual(annotations)
  })

  test('of annotations called __proto__ pollute nothing', () => {
    const text = JSON.stringify(image).replace(/}$/, ',"annotations":{"__proto__":"x","constructor":"y"}}')
    const facts = readManifest(Buffer.from(text), ociManifest)
    expect(Object.keys(facts.annotations ?? {})).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })
})

describe('other types', () => {
  test.each([
    [
      'application/vnd.oci.artifact.manifest.v1+json',
      '{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[]}',
    ],
    ['application/json', '{"hello":"world"}'],
    ['application/json', '[1,2]'],
    ['application/octet-stream', '\u0000\u0001'],
    ['text/plain', 'hello'],
    ['text/plain', ''],
    ['application/json', '['.repeat(1000)],
  ])('%s stay opaque and have no children', (mediaType, text) => {
    expect(readManifest(Buffer.from(text), mediaType)).toEqual({ kind: 'opaque', mediaType, children: [] })
  })
})

const text = JSON.stringify
const ambiguous: [string, string, string][] = [
  ['an image served as an index', text(image), ociIndex],
  ['an index served as an image', text(index), ociManifest],
  ['an OCI image served as a Docker one', text(image), dockerManifest],
  ['an index served as JSON', text(index), 'application/json'],
  ['an index served as bytes', text(index), 'application/octet-stream'],
  ['an image with manifests', text({ ...image, manifests: [child] }), ociManifest],
  [
    'an image with manifests and no mediaType',
    text({ ...image, mediaType: undefined, manifests: [child] }),
    ociManifest,
  ],
  ['an index with layers', text({ ...index, layers: [two] }), ociIndex],
  ['an index with a config', text({ ...index, config: one }), ociIndex],
  ['an index with no layers', text({ ...index, layers: [] }), ociIndex],
  ['an image with no manifests', text({ ...image, manifests: [] }), ociManifest],
  ['a mediaType that is no text', text({ ...image, mediaType: 5 }), ociManifest],
  ['an empty mediaType', text({ ...image, mediaType: '' }), ociManifest],
  ['a mediaType in other case', text({ ...image, mediaType: ociManifest.toUpperCase() }), ociManifest],
  ['the last of two mediaTypes', text(image).replace(/}$/, `,"mediaType":"${ociIndex}"}`), ociManifest],
  ['Manifests, which Go reads as manifests', text({ ...image, Manifests: [child] }), ociManifest],
  ['LAYERS, which Go reads as layers', text({ ...index, LAYERS: [two] }), ociIndex],
  ['MediaType, which Go reads as mediaType', text({ ...image, MediaType: ociIndex }), ociManifest],
  ['schemaVersion 3', text({ ...image, schemaVersion: 3 }), ociManifest],
  ['schemaVersion as text', text({ ...image, schemaVersion: '2' }), ociManifest],
  ['no config', text({ ...image, config: undefined }), ociManifest],
  ['layers that are no list', text({ ...image, layers: { 0: two } }), ociManifest],
  ['manifests that are no list', text({ ...index, manifests: 'x' }), ociIndex],
  ['a list', text([image]), ociManifest],
  ['a text', text('x'), ociIndex],
  ['null', 'null', ociIndex],
  ['nothing', '', ociManifest],
  ['half a document', text(image).slice(0, -5), ociManifest],
  ['two documents', text(image) + text(index), ociManifest],
  ['a byte order mark', `\uFEFF${text(image)}`, ociManifest],
  ['a Content-Type with parameters', text(image), `${ociManifest}; charset=utf-8`],
  ['no Content-Type', text(image), ''],
  ['a Content-Type with a line break', text(image), 'a/b\r\nX: y'],
  ['annotations that are a list', text({ ...image, annotations: ['x'] }), ociManifest],
  ['an annotation that is a number', text({ ...image, annotations: { a: 1 } }), ociManifest],
  ['a subject that is no descriptor', text({ ...image, subject: 'x' }), ociManifest],
]

describe('documents that contradict themselves or their type', () => {
  test.each(ambiguous)('%s: 400 MANIFEST_INVALID', (_what, document, mediaType) => {
    expect(refusal(Buffer.from(document), mediaType)).toEqual(['MANIFEST_INVALID', 400])
  })

  test('larger than 4 MiB: 413', () => {
    expect(refusal(Buffer.alloc(maxManifestBytes + 1, ' '), ociManifest)).toEqual(['MANIFEST_INVALID', 413])
  })

  test.each([
    ['application/vnd.docker.distribution.manifest.v1+json', '{}'],
    ['application/vnd.docker.distribution.manifest.v1+prettyjws', '{}'],
    [dockerManifest, text({ schemaVersion: 1, fsLayers: [] })],
  ])('Docker schema 1 as %s: UNSUPPORTED', (mediaType, document) => {
    expect(refusal(Buffer.from(document), mediaType)).toEqual(['UNSUPPORTED', 400])
  })
})

describe('descriptors', () => {
  test.each([
    ['null', null],
    ['a list', [one]],
    ['no mediaType', { ...one, mediaType: undefined }],
    ['no digest', { ...one, digest: undefined }],
    ['no size', { ...one, size: undefined }],
    ['size below zero', { ...one, size: -1 }],
    ['size as text', { ...one, size: '1' }],
    ['half a byte', { ...one, size: 0.5 }],
    ['size beyond exact numbers', { ...one, size: 2 ** 53 }],
    ['endless size', JSON.parse(text(one).replace('"size":1', '"size":1e999'))],
  ])('%s are MANIFEST_INVALID', (_what, value) => {
    expect(() => readDescriptor(value)).toThrow('MANIFEST_INVALID')
  })

  test.each(['', 'sha256:0', 'md5:d41d8cd98f00b204e9800998ecf8427e', `blake3:${'0'.repeat(64)}`, '../../etc/passwd'])(
    'with the digest %j are UNSUPPORTED',
    (digest) => {
      expect(() => readDescriptor({ ...one, digest })).toThrow('UNSUPPORTED')
    },
  )
})

describe('any document', () => {
  const mediaType = fc.constantFrom(ociManifest, ociIndex, dockerManifest, dockerList, 'application/json')
  const descriptor = fc.oneof(fc.constantFrom<unknown>(one, two, child), fc.jsonValue())
  const document = fc.record(
    {
      schemaVersion: fc.oneof(fc.constant(2), fc.jsonValue()),
      mediaType: fc.oneof(mediaType, fc.jsonValue()),
      config: descriptor,
      layers: fc.oneof(fc.array(descriptor), fc.jsonValue()),
      manifests: fc.oneof(fc.array(descriptor), fc.jsonValue()),
      subject: descriptor,
      annotations: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )

  test('is read without being changed, or refused with an OciError', () => {
    fc.assert(
      fc.property(document, mediaType, (value, type) => {
        const bytes = Buffer.from(text(value))
        const before = digestOf(bytes)
        expect(isReadOrRefused(bytes, type)).toBe(true)
        expect(digestOf(bytes)).toBe(before)
      }),
      { numRuns: 2000 },
    )
  })

  test('has no two readings: accepted under one type, it is refused under every other that is read', () => {
    fc.assert(
      fc.property(document, (value) => {
        const bytes = Buffer.from(text(value))
        const kinds = [ociManifest, ociIndex].filter((type) => isAccepted(bytes, type))
        expect(kinds.length).toBeLessThan(2)
      }),
      { numRuns: 2000 },
    )
  })
})

function isAccepted(bytes: Uint8Array, mediaType: string): boolean {
  try {
    readManifest(bytes, mediaType)
    return true
  } catch {
    return false
  }
}

function isReadOrRefused(bytes: Uint8Array, mediaType: string): boolean {
  try {
    readManifest(bytes, mediaType)
    return true
  } catch (error) {
    return error instanceof OciError && error.status < 500
  }
}
