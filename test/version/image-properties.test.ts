import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Constraint } from '../../src/version/dialect.ts'
import { imageDialect } from '../../src/version/image.ts'
import { isDate, type ImageVersion } from '../../src/version/image-version.ts'

const compare = (a: ImageVersion, b: ImageVersion): number => imageDialect.compare(a, b)
const parse = (range: string): Constraint<ImageVersion> => imageDialect.parse(range)

const number = fc.oneof(fc.nat({ max: 3 }), fc.constantFrom(10, 22, 20240807))
const numbers = (minLength: number): fc.Arbitrary<string> =>
  fc.array(number, { minLength, maxLength: 4 }).map((parts) => parts.join('.'))
const ending = fc.constantFrom('', '', '', 'rc1', '-rc.2', '-rc', '_9', 'beta2', '-0')
const tag = fc.tuple(numbers(1), ending, fc.constantFrom('', '', '-alpine')).map((parts) => parts.join(''))
const operator = fc.constantFrom('', '=', '!=', '>', '>=', '<', '<=', '~', '^')
const range = fc
  .array(fc.tuple(operator, numbers(1), fc.constantFrom('', '', '.x', '-rc', '-0', 'rc1')), {
    minLength: 1,
    maxLength: 3,
  })
  .map((terms) => terms.map((parts) => parts.join('')).join(' '))
  .filter((text) => readable(text))

test('compare is an order: a tie or a sign, and never in a circle', () => {
  fc.assert(
    fc.property(tag, tag, tag, (a, b, c) => {
      const [x, y, z] = [versionOf(a), versionOf(b), versionOf(c)]
      expect(Math.sign(compare(x, y))).toBe(0 - Math.sign(compare(y, x)))
      if (compare(x, y) >= 0 && compare(y, z) >= 0) expect(compare(x, z)).toBeGreaterThanOrEqual(0)
    }),
    { numRuns: 5_000 },
  )
})

test('a range that takes an alias takes every tag of its line, and ranks it higher', () => {
  fc.assert(
    fc.property(
      range,
      fc.array(number, { minLength: 1, maxLength: 2 }),
      fc.array(number, { minLength: 2, maxLength: 2 }),
      (text, line, more) => {
        const alias = versionOf(line.join('.'))
        const full = versionOf([...line, ...more].join('.'))
        if (parse(text).has(alias)) expect(parse(text).has(full)).toBe(true)
        expect(compare(full, alias)).toBeGreaterThan(0)
      },
    ),
    { numRuns: 5_000 },
  )
})

test('a version either fits or has a reason', () => {
  fc.assert(
    fc.property(range, tag, (text, candidate) => {
      const constraint = parse(text)
      const version = versionOf(candidate)
      expect(constraint.why(version) === 'fits the range').toBe(constraint.has(version))
    }),
    { numRuns: 5_000 },
  )
})

test('a term and its opposite divide the full releases between them', () => {
  const pairs = [
    ['>=', '<'],
    ['<=', '>'],
    ['=', '!='],
  ] as const
  fc.assert(
    fc.property(numbers(1), numbers(3), fc.constantFrom(...pairs), (bound, candidate, [one, other]) => {
      const version = versionOf(candidate)
      fc.pre(isDate(version) === isDate(versionOf(bound)))
      expect(parse(`${one}${bound}`).has(version)).not.toBe(parse(`${other}${bound}`).has(version))
    }),
    { numRuns: 5_000 },
  )
})

function versionOf(text: string): ImageVersion {
  const version = imageDialect.read(text)
  if (version === undefined) throw new Error(`${text} is no version`)
  return version
}

function readable(text: string): boolean {
  try {
    parse(text)
    return true
  } catch {
    return false
  }
}
