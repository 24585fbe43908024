import { describe, expect, test } from 'vitest'
import { InvalidRangeError } from '../../src/version/invalid-range.ts'
import { pick } from '../../src/version/pick.ts'
import type { Profile } from '../../src/version/profile.ts'

function fault(range: string, profile: Profile = 'helm'): { position: number; message: string } {
  try {
    pick(range, ['1.0.0'], profile)
  } catch (error) {
    if (!(error instanceof InvalidRangeError)) throw error
    expect(error.range).toBe(range)
    return { position: error.position, message: error.message }
  }
  throw new Error(`${range} is read without a fault`)
}

describe('the sentence for a range that cannot be read', () => {
  const sentences: [range: string, position: number, sentence: string][] = [
    ['>=', 0, 'No version follows the operator >='],
    ['1.2 || ^ ', 7, 'No version follows the operator ^'],
    ['>=,1', 0, 'No version follows the operator >='],
    ['> = 1', 1, 'A space stands inside an operator'],
    ['==1', 0, '== is no operator: there are = != > >= < <= ~ ^'],
    ['!1', 0, 'A ! has no = after it'],
    ['>=1.2<2', 5, 'A space or a comma is missing between two conditions'],
    ['^1.2 ||', 7, 'Nothing stands on one side of ||'],
    ['|| ^1.2', 0, 'Nothing stands on one side of ||'],
    ['1 || || 2', 4, 'Nothing stands on one side of ||'],
    [' ', 0, 'The range is empty: * asks for any version'],
    ['>=1,', 4, 'Nothing stands on one side of a comma'],
    ['>=1,,<2', 4, 'Nothing stands on one side of a comma'],
    ['>1 1|2', 4, 'A single | stands where || belongs'],
    ['^1x', 1, '1x is neither a number nor a wildcard'],
    ['>18446744073709551616', 1, 'A number is above 18446744073709551615'],
    ['1.2.3-a.01.b x', 8, 'A number in a prerelease has a leading zero'],
    ['1.2.3.4', 5, 'A version has at most three numbers'],
    ['^1.2.', 4, 'Nothing follows the dot'],
    ['>=.5', 2, 'No number stands before the dot'],
    [
      '^1.2.3-',
      6,
      'No prerelease follows the hyphen. A hyphen range has a version and a space on both sides of its hyphen',
    ],
    ['- 2', 0, 'A hyphen range has a version and a space on both sides of its hyphen'],
    ['1 - 2 - 3', 6, 'A hyphen range has a version and a space on both sides of its hyphen'],
    ['^1.2.3+', 6, 'No build follows the +'],
    ['1.2.3_b', 5, 'A build is written with + in a range, and with _ in a tag only'],
    ['1.2.3rc1', 5, 'rc1 follows a number with no hyphen between'],
    ['V1.x', 0, 'The V before a version is a small v'],
    ['latest', 0, 'latest is no version: it begins with no number'],
    ['1.2 @ 3', 4, '@ has no place in a range'],
    ['>=1\u00a0<2', 3, 'U+00A0 has no place in a range'],
    ['\ufeff>=1', 0, 'U+FEFF has no place in a range'],
    ['1.x \u{1f600}', 4, 'U+1F600 has no place in a range'],
    ['1.x \ud800', 4, 'U+D800 has no place in a range'],
  ]
  test.each(sentences)('%j', (range, position, sentence) => {
    expect(fault(range)).toEqual({ position, message: `${sentence} (position ${position} of the range).` })
  })

  test('counts in the range as it was written, where a hyphen range was rewritten before', () => {
    expect(fault('1.2 - 1.4, >').position).toBe(11)
    expect(fault('1.2 - 1.4 || 2.0 - 2.1x').position).toBe(21)
    expect(fault('3 || 1x - 1.4').position).toBe(5)
  })
})

describe('the limits of a range', () => {
  test('512 bytes are read, 513 are not', () => {
    const padded = `1.x${' '.repeat(509)}`
    expect(pick(padded, ['1.0.0'], 'helm')).toBe('1.0.0')
    expect(fault(`${padded} `)).toEqual({
      position: 512,
      message: 'The range is longer than 512 bytes (position 512 of the range).',
    })
  })

  test('32 alternatives are read, 33 are not', () => {
    const alternatives = (count: number) => Array.from({ length: count }, () => '1.x').join('||')
    expect(pick(alternatives(32), ['1.0.0'], 'helm')).toBe('1.0.0')
    expect(fault(alternatives(33))).toEqual({
      position: 158,
      message: 'The range has more than 32 alternatives (position 158 of the range).',
    })
  })

  test.each<Profile>(['helm-legacy', 'argo'])('%s has no limit of alternatives', (profile) => {
    expect(pick(Array.from({ length: 100 }, () => '1.x').join('||'), ['1.0.0'], profile)).toBe('1.0.0')
  })

  const prerelease = (length: number) => `>=0.0.0-${'a'.repeat(length - '0.0.0-'.length)}`

  test.each<Profile>(['helm', 'flux'])('%s reads a version of 256 bytes and none of 257', (profile) => {
    expect(pick(prerelease(256), ['1.0.0'], profile)).toBe('1.0.0')
    expect(fault(prerelease(257), profile)).toEqual({
      position: 2,
      message: 'A version is longer than 256 bytes (position 2 of the range).',
    })
  })

  test('a partial version is as long as what it stands for', () => {
    const partial = (length: number) => `>=1-${'a'.repeat(length)}`
    expect(pick(partial(256 - '1.0.0-'.length), ['2.0.0'], 'helm')).toBe('2.0.0')
    expect(fault(partial(257 - '1.0.0-'.length)).position).toBe(2)
    expect(pick(`>=1+${'a'.repeat(400)}`, ['2.0.0'], 'helm')).toBe('2.0.0')
  })

  test.each<Profile>(['helm-legacy', 'argo'])('%s has no limit of the length of a version', (profile) => {
    expect(pick(prerelease(300), ['1.0.0'], profile)).toBe('1.0.0')
  })
})
