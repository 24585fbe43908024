import { describe, expect, test } from 'vitest'
import { hint, showPath } from '../../src/config/problem.ts'
import { exposureOf } from '../../src/config/secret.ts'
import { secret } from '../../src/oci/secret.ts'
import { parseDuration, parseListen, parseSize, parseUrl } from '../../src/config/values.ts'

test.each([
  ['500ms', 500],
  ['0s', 0],
  ['60s', 60_000],
  ['1.5h', 5_400_000],
  ['5 m', 300_000],
  ['366d', 366 * 86_400_000],
])('the duration %s has %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', '60', 's', '-1s', '1w', '1S', '1e3s', '367d', '1s ', '1__proto__', '1.s', '99999999999999999s'])(
  '%j is no duration',
  (text) => {
    expect(() => parseDuration(text)).toThrow(/^must be/)
  },
)

test.each([
  ['1MiB', 2 ** 20],
  ['20GiB', 20 * 2 ** 30],
  ['10GB', 1e10],
  ['1.5TiB', 1.5 * 2 ** 40],
  ['1048576B', 2 ** 20],
])('the size %s has %i bytes', (text, size) => {
  expect(parseSize(text)).toBe(size)
})

test.each(['', '20', '20G', '1KB', '0B', '1023KiB', '-5GiB', '99999TiB', 'GiB'])('%j is no size', (text) => {
  expect(() => parseSize(text)).toThrow(/^must be/)
})

test.each([
  ['127.0.0.1:5000', { host: '127.0.0.1', port: 5000 }],
  ['LOCALHOST:0', { host: 'localhost', port: 0 }],
  ['[::1]:5000', { host: '::1', port: 5000 }],
  ['unix:/run/e.sock', { path: '/run/e.sock' }],
])('%s can be listened on', (text, listen) => {
  expect(parseListen(text)).toEqual(listen)
})

test.each([
  '',
  '5000',
  ':5000',
  '127.0.0.1',
  '127.0.0.1:65536',
  '[127.0.0.1]:1',
  '::1:5000',
  'a b:1',
  'http://x:1',
  'unix:',
])('%j cannot be listened on', (text) => {
  expect(() => parseListen(text)).toThrow(/./)
})

test('the reason why a URL is none never quotes it', () => {
  for (const text of [
    'canary',
    'https://u:canary@x.example',
    'https://canary@x',
    'https:///canary',
    'http://x/?canary',
  ]) {
    expect(() => parseUrl(text)).toThrow(/^must (?!.*canary)/)
  }
})

describe('a secret file', () => {
  const ours = process.getuid?.() ?? 0

  test.each([0o100600, 0o100400, 0o100700])('with mode %o is private', (mode) => {
    expect(exposureOf('/s', { uid: ours, mode }, {})).toBeUndefined()
    expect(exposureOf('/s', { uid: 0, mode }, {})).toBeUndefined()
  })

  test.each([0o100640, 0o100604, 0o100620, 0o100610, 0o100666])('with mode %o is not', (mode) => {
    expect(exposureOf('/s', { uid: ours, mode }, {})).toBe('is kept in /s, which other users can read: chmod 600 /s')
  })

  test('of another user is not', () => {
    expect(exposureOf('/s', { uid: ours + 1, mode: 0o100600 }, {})).toContain('belongs to another user')
  })
})

test('a secret shows itself to reveal alone', () => {
  const wrapped = secret('canary')
  expect(wrapped.reveal()).toBe('canary')
  expect([String(wrapped), JSON.stringify({ wrapped }), wrapped.toString()].join()).not.toContain('canary')
})

test('a key is shown as it would be found in the file', () => {
  expect(showPath(['upstreams', 'ghcr.io', 'credentials', 0, 'prefix'])).toBe(
    'upstreams."ghcr.io".credentials[0].prefix',
  )
  expect(showPath(['a\nb'])).toBe('."a\\nb"'.slice(1))
  expect(showPath(['x'.repeat(100)]).length).toBeLessThan(70)
})

test('the nearest word is named, as a guess where it is near', () => {
  expect(hint('listn', ['data', 'listen'])).toBe('; did you mean listen?')
  expect(hint('LISTEN', ['data', 'listen'])).toBe('; did you mean listen?')
  expect(hint('versionRanges', ['data', 'defaultUpstream'])).toMatch(/^; the nearest known is /)
  expect(hint('x', [])).toBe('')
})
