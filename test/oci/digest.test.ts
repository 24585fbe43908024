import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createHash } from 'node:crypto'
import { algorithmOf, digestOf, hashedDigest, hexOf, parseDigest } from '../../src/oci/digest.ts'

const empty = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

test('the digest of nothing is the one that everybody knows', () => {
  expect(digestOf(Buffer.alloc(0))).toBe(empty)
})

test('a digest is parsed as it is, sha512 too', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.constantFrom('sha256', 'sha512'), (bytes, algorithm) => {
      const digest = digestOf(bytes, algorithm)
      expect(parseDigest(digest)).toBe(digest)
      expect(algorithmOf(digest)).toBe(algorithm)
      expect(`${algorithm}:${hexOf(digest)}`).toBe(digest)
    }),
  )
})

test('a hash that was fed in parts gives the digest of the whole', () => {
  expect(hashedDigest('sha256', createHash('sha256').update('a').update('b'))).toBe(digestOf(Buffer.from('ab')))
})

test('a hash of another algorithm is not passed off as this one', () => {
  expect(() => hashedDigest('sha512', createHash('sha256'))).toThrow('the hash is not sha512')
})

test.each([
  '',
  'sha256:',
  empty.slice(0, -1),
  `${empty}0`,
  empty.toUpperCase(),
  empty.replace('e', 'E'),
  empty.replace('sha256', 'SHA256'),
  empty.replace('sha256', 'sha512'),
  empty.replace('sha256', 'md5'),
  `${empty}\n`,
  ` ${empty}`,
  'sha256:../../../../etc/passwd',
])('%j is no digest', (text) => {
  expect(parseDigest(text)).toBeUndefined()
})
