/** What a re-implementation of these clients gets wrong: each was seen in a comparison with the real ones. */
import { describe, expect, test } from 'vitest'
import { InvalidRangeError } from '../../src/version/invalid-range.ts'
import { pick } from '../../src/version/pick.ts'
import { type Profile, profiles } from '../../src/version/profile.ts'

const clients = profiles.filter((profile) => profile !== 'image')
const releases = ['0.0.0', '0.0.3', '0.2.9', '1.2.3', '1.9.9', '2.1.0']

describe.each(clients)('%s', (profile) => {
  const picks = (range: string, tags: readonly string[] = releases) => pick(range, tags, profile)
  const refuses = (range: string, tags: readonly string[] = releases) =>
    expect(() => pick(range, tags, profile)).toThrow(InvalidRangeError)

  test.each(['\u00a0', '\v', '\ufeff', '\u2028', '\u0085'])('%j is no space', (character) => {
    refuses(`>=1${character}<2`)
    refuses(`${character}>=1`)
    refuses(`>=1${character}`)
  })

  test.each([' ', '\t', '\n', '\f', '\r'])('%j is a space', (character) => {
    expect(picks(`${character}>=${character}1${character}<2${character}`)).toBe('1.9.9')
  })

  test('a hyphen range is rewritten before the split on ||, and its version takes a |', () => {
    refuses('1 - 2||3 - 4')
    expect(picks('1 - 2 || 3 - 4')).toBe('2.1.0')
    expect(picks('1 - 2||3.x')).toBe('2.1.0')
  })

  test('a hyphen range may begin in the middle of what is no version', () => {
    refuses('1.2.3.4 - 5')
  })

  test('the text of a hyphen range is replaced where it first stands', () => {
    expect(picks('1.2.3 - 1.5 || 1.2.3 - 1.5')).toBe('1.2.3')
  })

  test('a hyphen without its spaces is a prerelease', () => {
    refuses('1 -2')
    refuses('1- 2')
    expect(picks('1.2.3-1.9.9 || 1.2.3')).toBe('1.2.3')
  })

  test.each(['1|2', '1x', 'xx', '|', '1.|', '1.x2', '1.2.3|', '1|||2'])('%s is an error', (range) => {
    refuses(range)
  })

  test('what stands after a wildcard is never looked at', () => {
    expect(picks('1.x.9')).toBe('1.9.9')
    expect(picks('x.1.|')).toBe('2.1.0')
    expect(picks('1.x.99999999999999999999')).toBe('1.9.9')
  })

  test('^* is 0.0.0 alone', () => {
    expect(picks('^*')).toBe('0.0.0')
    expect(picks('^*', ['0.0.3', '1.2.3'])).toBeUndefined()
  })

  test('<=* is 0.0.z', () => {
    expect(picks('<=*')).toBe('0.0.3')
  })

  test('>* and !=* are all but 0.0.0', () => {
    expect(picks('>*')).toBe('2.1.0')
    expect(picks('>*', ['0.0.0'])).toBeUndefined()
    expect(picks('!=*', ['0.0.0'])).toBeUndefined()
    expect(picks('!=*', ['0.0.0', '0.0.1'])).toBe('0.0.1')
  })

  test('<* is nothing, and >=* all', () => {
    expect(picks('<*')).toBeUndefined()
    expect(picks('>=*')).toBe('2.1.0')
  })

  test('~0.0.0 is anything, ~0.0.1 is 0.0', () => {
    expect(picks('~0.0.0')).toBe('2.1.0')
    expect(picks('~0.0.1')).toBe('0.0.3')
  })

  test('with a prerelease in the group !=1.2 does not exclude the prereleases of 1.2', () => {
    expect(picks('>=1.2.0-0 !=1.2-0', ['1.2.0', '1.2.1-rc.1'])).toBe('1.2.1-rc.1')
    expect(picks('>=1.2.0-0 !=1-0', ['1.2.0', '1.2.1-rc.1'])).toBeUndefined()
  })

  test('a number over 64 bits makes a range invalid, the highest of 64 bits does not', () => {
    refuses('>=18446744073709551616')
    refuses('1.18446744073709551616.x')
    expect(picks('>=18446744073709551615', ['18446744073709551615.0.0', '9007199254740993.0.0'])).toBe(
      '18446744073709551615.0.0',
    )
  })

  test('numbers beyond a double are told apart', () => {
    expect(picks('>=1', ['1.0.9007199254740993', '1.0.9007199254740992'])).toBe('1.0.9007199254740993')
    expect(picks('=1.0.9007199254740992 || >9', ['1.0.9007199254740993', '1.0.9007199254740992'])).toBe(
      '1.0.9007199254740992',
    )
  })

  test('a long number with leading zeros is a small one', () => {
    expect(picks('^0000000000000000000000000001.2')).toBe('1.9.9')
  })

  test('prerelease numbers over 64 bits compare as words', () => {
    const over = '1.0.0-18446744073709551616'
    expect(picks('>=0-0', [over, '1.0.0-18446744073709551615'])).toBe(over)
    expect(picks('>=0-0', [over, '1.0.0-100000000000000000000'])).toBe(over)
    expect(picks('>=0-0', ['1.0.0-99999999999999999999', over])).toBe('1.0.0-99999999999999999999')
  })

  test('prerelease numbers compare as numbers, are below words, and more identifiers are above fewer', () => {
    expect(picks('>=0-0', ['1.0.0-rc.9', '1.0.0-rc.10', '1.0.0-rc.2'])).toBe('1.0.0-rc.10')
    expect(picks('>=0-0', ['1.0.0-9', '1.0.0-a', '1.0.0-A'])).toBe('1.0.0-a')
    expect(picks('>=0-0', ['1.0.0-a', '1.0.0-a.0'])).toBe('1.0.0-a.0')
    expect(picks('>=0-0', ['1.0.0-9', '1.0.0--1'])).toBe('1.0.0--1')
  })

  test('a prerelease with a leading zero is invalid in a range', () => {
    refuses('>=1.2.3-01')
    expect(picks('>=1.2.3-0a', ['1.2.3'])).toBe('1.2.3')
  })

  test('of equal versions the first listed is taken, in long lists too', () => {
    expect(picks('=1.0.0 || >9', ['1.0.0', '0.9.0', '1.0.0_a'])).toBe('1.0.0')
    const long = ['1.0.0', ...Array.from({ length: 40 }, (_, index) => `1.0.0_b${index}`)]
    expect(picks('>=1', long)).toBe('1.0.0')
  })

  test('operators have two spellings', () => {
    expect(picks('=>1 =<1.9')).toBe('1.9.9')
    expect(picks('~>1.2')).toBe('1.2.3')
  })

  test('a comma is an AND, and needs a condition on both sides', () => {
    expect(picks('>=1 , <2')).toBe('1.9.9')
    refuses('>=1,,<2')
    refuses(',>=1')
    refuses('>=1,')
  })
})

describe('helm', () => {
  test.each<Profile>(['helm', 'helm-legacy'])(
    '%s finds nothing before it reads the range where no tag is a version',
    (profile) => {
      expect(pick('not a range', ['latest', 'v1.0.0', '1.0'], profile)).toBeUndefined()
      expect(pick('not a range', [], profile)).toBeUndefined()
      expect(() => pick('not a range', ['1.0.0'], profile)).toThrow(InvalidRangeError)
    },
  )

  test.each<Profile>(['helm', 'helm-legacy'])(
    '%s takes a version, in part and with leading zeros too, for a tag',
    (profile) => {
      expect(pick('01.2', ['1.2.0', '01.2'], profile)).toBe('01.2')
      expect(pick('1.2.3+b', ['1.2.3', '1.2.3_b'], profile)).toBe('1.2.3_b')
      expect(pick('1.2.3+b', ['1.2.3'], profile)).toBeUndefined()
    },
  )

  test('lets a prerelease in that any condition of the group asks for', () => {
    expect(pick('>=1.0.0-0 <2', ['1.0.0', '2.0.0-rc.1'], 'helm')).toBe('2.0.0-rc.1')
    expect(pick('>=1.0.0-0 <2', ['1.0.0', '2.0.0-rc.1'], 'helm-legacy')).toBe('1.0.0')
  })

  test('lets prereleases pass != before 3.19 when it names a whole version', () => {
    expect(pick('!=1.0.0', ['1.1.0-rc.1', '0.9.0'], 'helm-legacy')).toBe('1.1.0-rc.1')
    expect(pick('!=1.0', ['1.1.0-rc.1', '0.9.0'], 'helm-legacy')).toBe('0.9.0')
    expect(pick('!=1.0.0', ['1.1.0-rc.1', '0.9.0'], 'helm')).toBe('0.9.0')
  })

  test('gives a tag with an empty identifier only to who names it, before 3.19', () => {
    expect(pick('1.2.3-a..b', ['1.2.3-a..b', '1.0.0'], 'helm-legacy')).toBe('1.2.3-a..b')
    expect(pick('>=0-0', ['1.2.3-a..b', '1.0.0'], 'helm-legacy')).toBe('1.0.0')
    expect(() => pick('1.2.3-a..b', ['1.2.3-a..b', '1.0.0'], 'helm')).toThrow(InvalidRangeError)
  })

  test('asks for 1.2.3 when 1.2.3- is listed, before 3.19', () => {
    expect(pick('^1', ['1.2.3-', '1.0.0'], 'helm-legacy')).toBeUndefined()
    expect(pick('^1', ['1.2.3-', '1.2.3', '1.0.0'], 'helm-legacy')).toBe('1.2.3')
    expect(pick('^1', ['1.2.3-', '1.0.0'], 'helm')).toBe('1.0.0')
  })

  test('never takes a tag with a v or a leading zero for a version', () => {
    expect(pick('>=1', ['1.0.0', 'v2.0.0', '03.0.0', '4.0.0-01'], 'helm')).toBe('1.0.0')
  })
})

describe('flux', () => {
  const picks = (range: string, tags: readonly string[]) => pick(range, tags, 'flux')

  test('wants two dots, and asks not where they stand', () => {
    expect(picks('>=1-0', ['1.2', '3-alpine3.19.1', '2.0.0'])).toBe('3-alpine3.19.1')
    expect(picks('>=1', ['3', '2.9', '1.2.3'])).toBe('1.2.3')
  })

  test('takes a version for a range', () => {
    expect(picks('1.2', ['1.2.3', '1.2.4', '1.2'])).toBe('1.2.4')
    expect(picks('1.2.3', ['v1.2.3'])).toBe('v1.2.3')
  })

  test('takes a v and leading zeros, and gives the tag as it is listed', () => {
    expect(picks('>=2024', ['2024.01.02', 'v2023.1.1'])).toBe('2024.01.02')
  })

  test('reads the range first: it is refused over an empty list too', () => {
    expect(() => picks('', [])).toThrow(InvalidRangeError)
    expect(() => picks('latest', ['latest'])).toThrow(InvalidRangeError)
  })

  test('passes over what is shaped like a version and is none', () => {
    expect(picks('>=1', ['1.2.3-01', '1.0.0', '99999999999999999999.0.0'])).toBe('1.0.0')
  })
})

describe('argo', () => {
  const picks = (range: string, tags: readonly string[]) => pick(range, tags, 'argo')

  test.each(['1.2.3-01', '1.99999999999999999999.0', 'v1-00'])('gives up on every range when %s is listed', (tag) => {
    expect(picks('>=1', ['1.0.0', tag])).toBeUndefined()
  })

  test.each(['latest', '1.2.3.4', '99999999999999999999.x', '1.2.3-01-', '1.2.3-a..b'])(
    'does not mind %s in the list',
    (tag) => {
      expect(picks('^1.0.0', ['1.0.0', tag])).toBe('1.0.0')
    },
  )

  test('takes a tag that exists before any range', () => {
    expect(picks('1.x', ['1.x', '1.2.3'])).toBe('1.x')
    expect(picks('latest', ['latest', '1.2.3-01'])).toBe('latest')
  })

  test('takes a version for a tag', () => {
    expect(picks('1.2', ['1.2.3'])).toBeUndefined()
    expect(picks('1.2', ['1.2.3', '1.2'])).toBe('1.2')
  })

  test('reads the range before the list', () => {
    expect(() => picks('not a range', ['1.2.3-01'])).toThrow(InvalidRangeError)
  })

  test('reads partial tags as versions', () => {
    expect(picks('>=1', ['1', 'v3', '2.5'])).toBe('v3')
  })

  test('finds a version with a build and then asks for a tag that cannot be', () => {
    expect(picks('>=1', ['1.0.0', '1.2.3_b'])).toBeUndefined()
    expect(picks('>=1', ['1.2.3', '1.2.3_b'])).toBe('1.2.3')
  })
})
