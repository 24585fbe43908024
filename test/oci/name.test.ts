import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseName, parseReference, parseTag } from '../../src/oci/name.ts'

describe('repository names', () => {
  test.each([
    'a',
    '0',
    'library/alpine',
    'a.b',
    'a_b',
    'a__b',
    'a-b',
    'a---b',
    'a/b/c/d/e',
    'ghcr.io/org/app',
    'x'.repeat(255),
  ])('%s is one', (text) => {
    expect(parseName(text)).toBe(text)
  })

  test.each([
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    'A',
    'a b',
    '.',
    '..',
    'a/..',
    'a..b',
    'a___b',
    '-a',
    'a-',
    '_a',
    'a_',
    'a.',
    'a:b',
    'a@b',
    'é',
    'a\n',
    'a\0',
    'x'.repeat(256),
  ])('%j is none', (text) => {
    expect(parseName(text)).toBeUndefined()
  })

  test('of any length of hyphens are decided at once (no backtracking)', () => {
    const started = process.cpuUsage()
    expect(parseName(`${'a-'.repeat(126)}A`)).toBeUndefined()
    expect(parseName(`a${'-'.repeat(253)}`)).toBeUndefined()
    expect(process.cpuUsage(started).user).toBeLessThan(50_000)
  })

  test('never have a component that a file system would read as something else', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '0', '.', '/', '-', '_', 'A', '\0') }), (text) => {
        const components = (parseName(text) ?? 'a').split('/')
        expect(components.every((component) => /^[a-z0-9]/.test(component) && !component.includes('..'))).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('tags', () => {
  test.each(['latest', '1.2.3', '_x', 'A', 'v1-alpine_2', 'x'.repeat(128)])('%s is one', (text) => {
    expect(parseTag(text)).toBe(text)
  })

  test.each(['', '.x', '-x', 'a:b', 'a/b', 'a+b', '^1', 'a b', 'x\n', 'x'.repeat(129)])('%j is none', (text) => {
    expect(parseTag(text)).toBeUndefined()
  })
})

test('a reference is a digest where it can be one, else a tag', () => {
  const digest = `sha256:${'a'.repeat(64)}`
  expect(parseReference(digest)).toEqual({ digest })
  expect(parseReference('latest')).toEqual({ tag: 'latest' })
  expect(parseReference('sha256:bad')).toBeUndefined()
  expect(parseReference('')).toBeUndefined()
})
