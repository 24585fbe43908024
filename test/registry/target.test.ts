/** Raw request targets: what they name, and what is refused before anything is asked. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OciError } from '../../src/oci/errors.ts'
import { parseName } from '../../src/oci/name.ts'
import { parseTarget, splitTarget } from '../../src/registry/target.ts'

const digest = `sha256:${'a'.repeat(64)}`

function parse(raw: string) {
  return parseTarget(splitTarget(raw))
}

function refusal(raw: string): [number, string] {
  try {
    parse(raw)
  } catch (error) {
    if (error instanceof OciError) return [error.status, error.code]
    throw error
  }
  throw new Error(`${raw} was parsed`)
}

describe('routes', () => {
  test.each([
    ['/v2', { kind: 'base' }],
    ['/v2/', { kind: 'base' }],
    ['/v2/?ns=docker.io', { kind: 'base' }],
    ['/docker.io/v2/', { kind: 'base' }],
    ['http://localhost:5000/v2/', { kind: 'base' }],
    ['/livez', { kind: 'live' }],
    ['/readyz?verbose', { kind: 'ready' }],
    ['/', { kind: 'unknown' }],
    ['/v1/_ping', { kind: 'unknown' }],
    ['/v2/_catalog', { kind: 'unknown' }],
    ['/v2/alpine', { kind: 'unknown' }],
    ['/v2/alpine/tags/list/', { kind: 'unknown' }],
    ['/v2/manifests/latest', { kind: 'unknown' }],
    ['/v2/alpine/manifests/1.0', { kind: 'manifest', name: 'alpine', reference: '1.0' }],
    ['/v2/a/b/c/d/e/manifests/1.0', { kind: 'manifest', name: 'a/b/c/d/e', reference: '1.0' }],
    [`/v2/a/blobs/${digest}`, { kind: 'blob', name: 'a', digest }],
    [`/v2/a/blobs/${digest.replace(':', '%3A')}`, { kind: 'blob', name: 'a', digest }],
    [`/v2/a/referrers/${digest}`, { kind: 'referrers', name: 'a', digest }],
    ['/v2/a/tags/list', { kind: 'tags', name: 'a' }],
    ['/v2/a/blobs/uploads/', { kind: 'uploads', name: 'a', base: '/v2/a' }],
    ['/v2/a/blobs/uploads', { kind: 'uploads', name: 'a' }],
    ['/reg/v2/a/b/blobs/uploads/6f3c', { kind: 'upload', id: '6f3c', name: 'reg/a/b', base: '/reg/v2/a/b' }],
    ['/v2/a/manifests/%5E1.2%20%7C%7C%202', { kind: 'manifest', reference: '^1.2 || 2' }],
    ['/v2/a/manifests/%3E%3D1.2%20%3C2', { kind: 'manifest', reference: '>=1.2 <2' }],
    ['/v2/a/manifests/%255E1', { kind: 'manifest', reference: '%5E1' }],
    ['/v2/a/manifests/1.2.3%2Bb', { kind: 'manifest', reference: '1.2.3+b' }],
    ['/v2/a/manifests/1.2.3+b', { kind: 'manifest', reference: '1.2.3+b' }],
    ['/v2/a/b/_entrepot/versions/resolve?range=1', { kind: 'versions', name: 'a/b' }],
    ['/ghcr.io/v2/a/_entrepot/versions/resolve', { kind: 'versions', name: 'ghcr.io/a' }],
    ['/v2/a/_entrepot/versions', { kind: 'unknown' }],
    ['/v2/a/_entrepot/versions/resolve/', { kind: 'unknown' }],
    ['/v2/_entrepot/versions/resolve', { kind: 'unknown' }],
    ['/v2/_oci/ext/discover', { kind: 'registry-extensions' }],
    ['/ghcr.io/v2/_oci/ext/discover', { kind: 'registry-extensions' }],
    ['/v2/a/_oci/ext/discover', { kind: 'extensions', name: 'a' }],
    ['/v2/versions/resolve/manifests/1', { kind: 'manifest', name: 'versions/resolve' }],
    ['/v2/%61lpine/manifests/1', { kind: 'manifest', name: 'alpine' }],
  ])('%s', (raw, expected) => {
    expect(parse(raw)).toMatchObject(expected)
  })

  test.each([
    ['/v2/a/manifests/manifests/x', 'a/manifests'],
    [`/v2/a/blobs/blobs/${digest}`, 'a/blobs'],
    ['/v2/a/tags/tags/list', 'a/tags'],
    ['/v2/tags/list/manifests/x', 'tags/list'],
    ['/v2/a/tags/list/tags/list', 'a/tags/list'],
    [`/v2/a/referrers/referrers/${digest}`, 'a/referrers'],
    ['/v2/a/blobs/uploads/manifests/x', 'a/blobs/uploads'],
    [`/v2/a/blobs/uploads/blobs/${digest}`, 'a/blobs/uploads'],
    ['/v2/v2/v2/manifests/x', 'v2/v2'],
  ])('%s is read from the right', (raw, name) => {
    expect(parse(raw)).toMatchObject({ name })
  })
})

describe('prefixes', () => {
  test.each([
    ['/v2/ghcr.io/org/app/manifests/1', 'ghcr.io/org/app'],
    ['/ghcr.io/v2/org/app/manifests/1', 'ghcr.io/org/app'],
    ['/host/team/v2/app/manifests/1', 'host/team/app'],
    ['/ghcr.io/v2/org/v2/app/manifests/1', 'ghcr.io/org/v2/app'],
    ['/v2/GHCR.io/org/app/manifests/1', 'GHCR.io/org/app'],
    ['/v2/localhost:5001/app/manifests/1', 'localhost:5001/app'],
    ['/v2/reg.example%3A5000/app/manifests/1', 'reg.example:5000/app'],
    ['/v2/[::1]:5000/app/manifests/1', '[::1]:5000/app'],
  ])('%s names %s', (raw, name) => {
    expect(parse(raw)).toMatchObject({ name })
  })
})

describe('queries', () => {
  test('ns is taken from the query, an empty one is none', () => {
    expect(parse('/v2/a/tags/list?ns=ghcr.io&n=3')).toMatchObject({ ns: 'ghcr.io' })
    expect(parse('/v2/a/tags/list?ns=')).toMatchObject({ ns: undefined })
    expect(parse('/v2/a/tags/list?ns=a.example&ns=a.example')).toMatchObject({ ns: 'a.example' })
  })

  test('two different ns are refused', () => {
    expect(refusal('/v2/a/tags/list?ns=a.example&ns=b.example')).toEqual([400, 'NAME_INVALID'])
  })
})

describe('refused', () => {
  test.each([
    ['dot segment', '/v2/a/../b/manifests/x'],
    ['dot segment at the end', '/v2/a/manifests/..'],
    ['single dot', '/v2/./a/manifests/x'],
    ['escaped dot segment', '/v2/a/%2e%2e/b/manifests/x'],
    ['escaped slash and dots', '/v2/a%2f..%2fb/manifests/x'],
    ['dot segment before v2', '/../v2/a/manifests/x'],
    ['upper case', '/v2/Alpine/manifests/x'],
    ['upper case later on', '/v2/ghcr.io/Org/manifests/x'],
    ['empty component', '/v2//a/manifests/x'],
    ['trailing slash in a name', '/v2/a//manifests/x'],
    ['NUL', '/v2/a%00b/manifests/x'],
    ['line break', '/v2/a%0d%0ab/manifests/x'],
    ['double escape', '/v2/a%252fb/manifests/x'],
    ['bad escape', '/v2/a%zz/manifests/x'],
    ['bad UTF-8', '/v2/a%ff/manifests/x'],
    ['not ASCII', '/v2/%C3%A9/manifests/x'],
    ['underscore at the start', '/v2/_a/manifests/x'],
    ['colon later on', '/v2/a/b:5000/manifests/x'],
    ['a host with a user', '/v2/user@ghcr.io/a/manifests/x'],
    ['a port that is none', '/v2/ghcr.io:99999/a/manifests/x'],
    ['too long a name', `/v2/${'a'.repeat(256)}/manifests/x`],
    ['fragment', '/v2/a#b/manifests/x'],
    ['backslash', '/v2/a%5Cb/manifests/x'],
  ])('%s is 400 NAME_INVALID', (_what, raw) => {
    expect(refusal(raw)).toEqual([400, 'NAME_INVALID'])
  })

  test('a reference with control characters or beyond 512 bytes is 400', () => {
    expect(refusal('/v2/a/manifests/x%00')).toEqual([400, 'TAG_INVALID'])
    expect(refusal(`/v2/a/manifests/${'x'.repeat(513)}`)).toEqual([400, 'TAG_INVALID'])
  })

  test('a target over 4 KiB is 414', () => {
    expect(refusal(`/v2/a/manifests/x?q=${'x'.repeat(4096)}`)).toEqual([414, 'NAME_INVALID'])
  })

  test.each(['*', 'localhost:5000', 'ftp://localhost/v2/', ''])('the target %j is 400', (raw) => {
    expect(refusal(raw)).toEqual([400, 'UNSUPPORTED'])
  })
})

test('any text parses to a name inside the grammar, or is refused with an OciError', () => {
  const part = fc.constantFrom(
    'v2',
    'a',
    'ghcr.io',
    'manifests',
    'blobs',
    'tags',
    'list',
    '..',
    '%2e',
    '%2f',
    '%00',
    '',
    'A',
    ':1',
  )
  const path = fc.array(fc.oneof(part, fc.string()), { maxLength: 12 }).map((parts) => `/${parts.join('/')}`)
  fc.assert(
    fc.property(path, (raw) => {
      expect(isParsedOrRefused(raw)).toBe(true)
    }),
    { numRuns: 3000 },
  )
})

function isParsedOrRefused(raw: string): boolean {
  try {
    const target = parse(raw)
    if (!('name' in target)) return true
    const [, ...others] = target.name.split('/')
    return parseName(target.name) !== undefined || parseName(others.join('/')) !== undefined
  } catch (error) {
    return error instanceof OciError && error.status < 500
  }
}
