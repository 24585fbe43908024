import { expect, test } from 'vitest'
import { coversFirst, matches, overlap, parsePattern, type Pattern } from '../../src/oci/pattern.ts'

function pattern(text: string): Pattern {
  const parsed = parsePattern(text)
  if (parsed === undefined) throw new Error(`${text} is no pattern`)
  return parsed
}

test.each([
  ['a', 'a'],
  ['*', 'a'],
  ['**', 'a'],
  ['**', 'a/b/c'],
  ['a/*', 'a/b'],
  ['a/**', 'a/b'],
  ['a/**', 'a/b/c/d'],
  ['a/**/z', 'a/b/c/z'],
  ['**/z/**', 'a/z/b/z/c'],
  ['a/*/c', 'a/b/c'],
])('%s matches %s', (text, name) => {
  expect(matches(pattern(text), name)).toBe(true)
})

test.each([
  ['a', 'b'],
  ['a', 'a/b'],
  ['*', 'a/b'],
  ['a/*', 'a'],
  ['a/*', 'a/b/c'],
  ['a/**', 'a'],
  ['a/**', 'ab/c'],
  ['a/**/z', 'a/z'],
  ['a/*/c', 'a/b/d'],
])('%s does not match %s', (text, name) => {
  expect(matches(pattern(text), name)).toBe(false)
})

test.each(['', '/', 'a//b', 'a*', '***', 'A/b', 'a/', '../a', '**/**/**', 'a.*'])('%j is no pattern', (text) => {
  expect(parsePattern(text)).toBeUndefined()
})

test('covers a first component that it could match', () => {
  expect(['a/**', '*/b', '**', 'a'].map(pattern).every((one) => coversFirst(one, 'a'))).toBe(true)
  expect(['b/**', 'ab', 'b/a'].map(pattern).some((one) => coversFirst(one, 'a'))).toBe(false)
})

test('two patterns overlap where, and only where, some name matches both', () => {
  const words = (letters: string[], longest: number): string[] =>
    longest === 0 ? [] : letters.flatMap((one) => [one, ...words(letters, longest - 1).map((rest) => `${one}/${rest}`)])
  const names = words(['a', 'b'], 6)
  const patterns = words(['a', 'b', '*', '**'], 3).flatMap((text) => parsePattern(text) ?? [])
  const sets = patterns.map((one) => ({ one, matched: new Set(names.filter((name) => matches(one, name))) }))
  const wrong = sets.flatMap(({ one, matched }) =>
    sets
      .filter((other) => overlap(one, other.one) === matched.isDisjointFrom(other.matched))
      .map((other) => `${one} and ${other.one}`),
  )
  expect([wrong, sets.length]).toEqual([[], 83])
})

test('matching stays cheap for the worst name that the grammar allows', () => {
  const worst = Array.from({ length: 128 }, () => 'a').join('/')
  const before = performance.now()
  expect(matches(pattern('**/b/**'), worst)).toBe(false)
  expect(performance.now() - before).toBeLessThan(1000)
})
