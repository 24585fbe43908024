import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { imageDialect } from '../../src/version/image.ts'
import { InvalidRangeError } from '../../src/version/invalid-range.ts'

describe('a range that cannot be read says what is wrong, and where', () => {
  test.each([
    ['', 0, 'The range is empty: * asks for any version'],
    [' \t', 0, 'The range is empty: * asks for any version'],
    ['latest', 0, '"latest" does not begin with a number'],
    ['>=latest', 2, '"latest" does not begin with a number'],
    ['>=', 2, 'A version is missing at the end'],
    ['>= || 1', 3, 'A version is missing before the |'],
    ['>= , 1', 3, 'A version is missing before the ,'],
    ['1..2', 2, 'No number follows the dot'],
    ['1.', 2, 'No number follows the dot'],
    ['1.2.', 4, 'No number follows the dot'],
    ['1.-alpine', 2, 'No number follows the dot'],
    ['1.2.3.4.5', 8, 'A version has more than four numbers'],
    ['1.x.x.x.x', 8, 'A version has more than four numbers'],
    ['>=1.18446744073709551616', 4, 'The number 18446744073709551616 is over 2^64 - 1'],
    ['1x', 1, 'An x or * stands for one whole number: write 1.x, or 1.x-alpine'],
    ['1.2*', 3, 'An x or * stands for one whole number: write 1.x, or 1.x-alpine'],
    ['xx', 1, 'An x or * stands for one whole number: write 1.x, or 1.x-alpine'],
    ['1.xrc1', 3, 'An x or * stands for one whole number: write 1.x, or 1.x-alpine'],
    ['1.2-', 3, 'No variant follows the hyphen'],
    ['1.2rc1-', 6, 'No variant follows the hyphen'],
    ['1.2final', 3, '"final" is no prerelease, and a variant begins with a hyphen'],
    ['1.2_', 3, '"_" is no prerelease, and a variant begins with a hyphen'],
    ['1.2+5', 3, 'A tag has no +, so the range of an image has none either'],
    ['1.2-alpine+5', 10, 'A tag has no +, so the range of an image has none either'],
    ['1.2-alpine*', 10, 'A variant is named in full, without *'],
    ['22.x-alpine 22.x-slim', 17, 'One group asks for two variants, alpine and slim: put || between them'],
    ['1.0-slim - 2.0-alpine', 15, 'One group asks for two variants, slim and alpine: put || between them'],
    [
      '>=3 <20240101',
      5,
      'One group asks for versions and for a date or build count of eight digits: put || between them',
    ],
    ['>=1<2', 3, 'A space or a comma is missing between two terms'],
    ['==1', 0, '== is no operator: there are = != > >= < <= ~ ^'],
    ['1 >>2', 2, '>> is no operator: there are = != > >= < <= ~ ^'],
    ['1 | 2', 2, 'A single | stands where || belongs'],
    ['1||', 3, 'Nothing stands on one side of ||'],
    ['||1', 0, 'Nothing stands on one side of ||'],
    ['1 || || 2', 5, 'Nothing stands on one side of ||'],
    [',1', 0, 'Nothing stands before the comma'],
    ['1,', 1, 'Nothing stands after the comma'],
    ['1,,2', 1, 'Nothing stands after the comma'],
    ['>=1 - 2', 0, 'A hyphen range has no operator, and here is >='],
    ['1 - >=2', 4, '">" has no place in a range'],
    ['1 -2', 2, 'A hyphen range has a space on both sides of its hyphen: 1.2 - 1.4'],
    ['1 - ', 4, 'A version is missing at the end'],
    ['>*', 0, 'Nothing can be >*'],
    ['<x', 0, 'Nothing can be <x'],
    ['1 !=*', 2, 'Nothing can be !=*'],
    ['1 @', 2, '"@" has no place in a range'],
    ['1.2@3', 3, '"@" has no place in a range'],
    ['1\u00a0', 1, '"\u00a0" has no place in a range'],
    ['1 \u{1f600}', 2, '"\u{1f600}" has no place in a range'],
    ['0a1b2c3', 1, '"a1b2c3" is no prerelease, and a variant begins with a hyphen'],
    [`1-${'a'.repeat(255)}`, 0, 'A version is longer than 256 bytes'],
    [`1${' '.repeat(512)}`, 512, 'The range is longer than 512 bytes'],
    [Array.from({ length: 33 }, () => '1').join('||'), 94, 'The range has more than 32 groups'],
  ])('%j at %i: %s', (range, position, sentence) => {
    const error = refusal(range)
    expect(error).toBeInstanceOf(InvalidRangeError)
    expect(error).toMatchObject({ range, position, message: `${sentence} (position ${position} of the range).` })
  })

  test('512 bytes and 32 groups are not too many', () => {
    expect(refusal('1'.padEnd(512))).toBeUndefined()
    expect(refusal(Array.from({ length: 32 }, () => '1').join('||'))).toBeUndefined()
    expect(refusal(`1-${'a'.repeat(254)}`)).toBeUndefined()
  })
})

test('any text is read or refused with an InvalidRangeError whose position lies in it', () => {
  const piece = fc.constantFrom(
    '1',
    '22',
    '.',
    'x',
    '*',
    '-',
    ' ',
    ' - ',
    ',',
    '||',
    '|',
    '^',
    '>=',
    '!=',
    '~',
    'v',
    'rc1',
    '-alpine',
    '_9',
    '20240807',
    '\u00a0',
    '+',
  )
  const text = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(text, (range) => {
      const error = refusal(range)
      if (error === undefined) return
      expect(error).toBeInstanceOf(InvalidRangeError)
      const { position, message } = error as InvalidRangeError
      expect(position).toBeGreaterThanOrEqual(0)
      expect(position).toBeLessThanOrEqual(range.length)
      expect(message).toMatch(/^[A-Z">=<!~^].*\(position \d+ of the range\)\.$/su)
    }),
    { numRuns: 5_000 },
  )
})

function refusal(range: string): unknown {
  try {
    imageDialect.parse(range)
    return undefined
  } catch (error) {
    return error
  }
}
