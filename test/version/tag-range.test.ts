import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { imageDialect } from '../../src/version/image.ts'
import { rangeOfTag } from '../../src/version/tag-range.ts'

describe('rangeOfTag', () => {
  test.each([
    ['22.x-alpine', '22.x-alpine'],
    ['1.x', '1.x'],
    ['1.2.x', '1.2.x'],
    ['v1.x', 'v1.x'],
    ['1.x.x.x', '1.x.x.x'],
    ['1.x.9', '1.x.9'],
    ['caret-22.3', '^22.3'],
    ['tilde-1.2.3', '~1.2.3'],
    ['ge-1.2', '>=1.2'],
    ['gt-1.2', '>1.2'],
    ['le-1.2', '<=1.2'],
    ['lt-1.2', '<1.2'],
    ['ne-1.2', '!=1.2'],
    ['eq-1.2', '=1.2'],
    ['caret-v1.2', '^v1.2'],
    ['ge-1.2_lt-2', '>=1.2 <2'],
    ['ge-1.2_lt-2_ne-1.5.0', '>=1.2 <2 !=1.5.0'],
    ['18.x__20.x', '18.x || 20.x'],
    ['ge-18_lt-19__caret-20.3-slim', '>=18 <19 || ^20.3-slim'],
    ['ge-1_2', '>=1 2'],
    ['1__2.x', '1 || 2.x'],
    ['caret-1.2-rc.1-alpine3.20', '^1.2-rc.1-alpine3.20'],
    ['caret-3.14-0', '^3.14-0'],
    ['caret-1-lt-2', '^1-lt-2'],
    ['lt-007.x', '<007.x'],
    ['1.x--', '1.x--'],
    ['99999999999999999999.x', '99999999999999999999.x'],
  ])('reads %s as %s', (tag, range) => {
    expect(rangeOfTag(tag, false)).toBe(range)
    expect(rangeOfTag(tag, true)).toBe(range)
  })

  test.each([
    ['latest'],
    ['x'],
    ['vx'],
    ['x.1'],
    ['1-alpine'],
    ['1.2-alpine'],
    ['1_2'],
    ['1__2'],
    ['17.0.9_9-jdk'],
    ['1.X'],
    ['V1.x'],
    ['vv1.x'],
    ['1.xx'],
    ['1.2x'],
    ['1..x'],
    ['1.x.'],
    ['.1.x'],
    ['1.2.3.4.x'],
    ['1.x-'],
    ['1.x_'],
    ['_1.x'],
    ['1.x___2.x'],
    ['1.x____2.x'],
    ['1.x_latest'],
    ['latest__1.x'],
    ['caret-'],
    ['caret'],
    ['caret1'],
    ['caret-x'],
    ['caret-latest'],
    ['Caret-1'],
    ['caret-caret-1'],
    ['ge-1.24rc1'],
    ['sha256-1.x'],
    ['stable-1.x'],
    ['1.x-a+b'],
    ['^1.2'],
    ['1.*'],
    [''],
    ['-'],
    ['v'],
    ['٣.x'],
    ['1.x-é'],
    ['20240807'],
  ])('takes %s for a tag', (tag) => {
    expect(rangeOfTag(tag, false)).toBeUndefined()
  })

  test.each([['1'], ['1.2'], ['1.2.3'], ['v1'], ['v1.2.3.4']])('takes %s for a range only with partials', (tag) => {
    expect(rangeOfTag(tag, false)).toBeUndefined()
    expect(rangeOfTag(tag, true)).toBe(tag)
  })

  test.each([['1-alpine'], ['1_2'], ['1__2'], ['latest'], ['x'], ['1.2.3.4.5'], ['1.'], ['v']])(
    'never takes %s, with partials either',
    (tag) => {
      expect(rangeOfTag(tag, true)).toBeUndefined()
    },
  )
})

const words = { caret: '^', tilde: '~', ge: '>=', gt: '>', le: '<=', lt: '<', ne: '!=', eq: '=' } as const
const digits = fc.nat({ max: 9_999_999 }).map(String)
const partial = fc
  .tuple(digits, fc.array(fc.oneof(digits, fc.constant('x')), { maxLength: 3 }))
  .map(([first, rest]) => [first, ...rest].join('.'))
const suffix = fc.stringMatching(/^[a-zA-Z0-9.-]{1,12}$/)
const term = fc.record({
  word: fc.option(fc.constantFrom(...(Object.keys(words) as (keyof typeof words)[])), { nil: undefined }),
  v: fc.constantFrom('', 'v'),
  partial,
  suffix: fc.option(suffix, { nil: undefined }),
})
const groups = fc.array(fc.array(term, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 })
type Groups = ReturnType<typeof groups.generate>['value']

/** Joins the terms of a range; `operator` says how each term begins. */
function write(range: Groups, and: string, or: string, operator: (word: keyof typeof words) => string): string {
  const one = (each: Groups[number][number]): string =>
    `${each.word === undefined ? '' : operator(each.word)}${each.v}${each.partial}${each.suffix === undefined ? '' : `-${each.suffix}`}`
  return range.map((group) => group.map(one).join(and)).join(or)
}

const asks = (range: Groups): boolean =>
  range.flat().some((each) => each.word !== undefined || each.partial.includes('x'))

test('every range that the grammar makes comes back with its operators', () => {
  fc.assert(
    fc.property(groups, (range) => {
      const spelled = write(range, '_', '__', (word) => `${word}-`)
      const written = write(range, ' ', ' || ', (word) => words[word])
      fc.pre(asks(range))
      expect(rangeOfTag(spelled, false)).toBe(written)
    }),
    { numRuns: 2_000 },
  )
})

const digitsOnly = groups.map((range) =>
  range.map((group) => group.map((each) => ({ ...each, word: undefined, partial: each.partial.replaceAll('x', '7') }))),
)

test('what the grammar makes without an operator or an x is a tag, unless it is one bare partial', () => {
  fc.assert(
    fc.property(digitsOnly, (range) => {
      const spelled = write(range, '_', '__', (word) => word)
      expect(rangeOfTag(spelled, false)).toBeUndefined()
      const bare = range.flat().length === 1 && range.flat()[0]?.suffix === undefined
      expect(rangeOfTag(spelled, true)).toBe(bare ? spelled : undefined)
    }),
    { numRuns: 2_000 },
  )
})

/** The grammar of the documentation, as one regular expression: an independent reader of short texts. */
const grammar =
  /^(?:(?:caret|tilde|ge|gt|le|lt|ne|eq)-)?v?[0-9]+(?:\.(?:[0-9]+|x)){0,3}(?:-[a-zA-Z0-9.-]+)?(?:__?(?:(?:caret|tilde|ge|gt|le|lt|ne|eq)-)?v?[0-9]+(?:\.(?:[0-9]+|x)){0,3}(?:-[a-zA-Z0-9.-]+)?)*$/
const question = /(?:^|_)(?:(?:caret|tilde|ge|gt|le|lt|ne|eq)-|v?[0-9]+(?:\.[0-9]+)*\.x)/

test('texts made of the pieces of the grammar, in any order, are ranges exactly when the grammar says so', () => {
  const piece = fc.constantFrom(
    '1',
    '20',
    '.',
    '.x',
    'x',
    'v',
    '-',
    '_',
    '__',
    'ge-',
    'caret-',
    'lt',
    'alpine',
    'A',
    '*',
    '^',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
      const text = pieces.join('')
      expect(rangeOfTag(text, false) !== undefined).toBe(grammar.test(text) && question.test(text))
    }),
    { numRuns: 10_000 },
  )
})

test('what a tag spells is a range that `image` reads, where it keeps to one variant and one scheme', () => {
  const plain = fc.array(
    fc.array(
      term.map((each) => ({ ...each, suffix: 'alpine' })),
      { minLength: 1, maxLength: 3 },
    ),
    { minLength: 1, maxLength: 3 },
  )
  fc.assert(
    fc.property(plain, (range) => {
      fc.pre(asks(range))
      const read = rangeOfTag(
        write(range, '_', '__', (word) => `${word}-`),
        false,
      )
      expect(() => imageDialect.parse(read ?? '')).not.toThrow()
    }),
    { numRuns: 2_000 },
  )
})
