import { describe, expect, test } from 'vitest'
import { explain } from '../../src/version/explain.ts'
import { InvalidRangeError } from '../../src/version/invalid-range.ts'

const reasons = (...given: Parameters<typeof explain>) =>
  Object.fromEntries(explain(...given).map(({ tag, reason }) => [tag, reason]))

test('every tag but the one taken has a reason, in the order of the list', () => {
  const tags = ['2.0.0', '1.4.0', '1.1.0', '1.5.0', 'latest', '1.5.0_b', '1.6.0-rc.1', '1.3', 'v1.9.0', '1.05.0']
  expect(explain('^1.2', tags, 'helm')).toEqual([
    { tag: '2.0.0', reason: 'is above all that ^1.2 takes in' },
    { tag: '1.4.0', reason: 'matches, but 1.5.0 is higher' },
    { tag: '1.1.0', reason: 'is below 1.2' },
    { tag: 'latest', reason: 'is no version: it does not begin with a number' },
    { tag: '1.5.0_b', reason: 'matches, but 1.5.0 is equal to it and listed first' },
    { tag: '1.6.0-rc.1', reason: 'is a prerelease, and the range asks for none' },
    { tag: '1.3', reason: 'is no version: it has no patch number' },
    { tag: 'v1.9.0', reason: 'is no version: it begins with a v' },
    { tag: '1.05.0', reason: 'is no version: it has a number with a leading zero' },
  ])
})

test('each operator has its reason', () => {
  const tags = ['1.0.0', '2.0.0', '2.0.0-rc']
  expect(reasons('>1.0.0 <2.0.0', tags, 'helm')).toMatchObject({
    '1.0.0': 'is not above 1.0.0',
    '2.0.0': 'is not below 2.0.0',
  })
  expect(reasons('>=1.5 !=2.0.0', tags, 'helm')).toMatchObject({
    '1.0.0': 'is below 1.5',
    '2.0.0': 'is excluded by !=2.0.0',
  })
  expect(reasons('<=1', tags, 'helm')).toMatchObject({ '2.0.0': 'is above 1' })
  expect(reasons('=1.0.0 || =3.0.0', tags, 'helm')).toMatchObject({ '2.0.0': 'is not 1.0.0, and is not 3.0.0' })
  expect(reasons('1.x', tags, 'helm')).toMatchObject({ '2.0.0': 'is above all that 1.x takes in' })
})

test('a tag has a reason for being no version', () => {
  expect(reasons('>=9', ['1.2.3', '1', '1.2.3-', '1.2.3.4', '1.2.3-01', '1.2.99999999999999999999'], 'helm')).toEqual({
    '1.2.3': 'is below 9',
    '1': 'is no version: it has no minor number',
    '1.2.3-': 'is no version: its prerelease or build has an empty part',
    '1.2.3.4': 'is no version: what follows its numbers is neither a prerelease nor a build',
    '1.2.3-01': 'is no version: it has a number with a leading zero',
    '1.2.99999999999999999999': 'is no version: it has a number above 18446744073709551615',
  })
  expect(reasons('>=9', ['1.2', '1.2.3-a..b'], 'flux')['1.2']).toBe('is no version: it has fewer than two dots')
  expect(reasons('>=9', ['1.2.3-a..b', '1.0.0'], 'helm-legacy')['1.2.3-a..b']).toBe(
    'is no version: its prerelease or build has an empty part',
  )
})

test('the variant of an image is a reason', () => {
  expect(reasons('22.x-alpine', ['22.9.0-slim', '22.9.0-alpine'], 'image')).toEqual({
    '22.9.0-slim': 'has the variant slim, not alpine',
  })
})

describe('where a client does not compare', () => {
  test('a version is a tag for Helm', () => {
    expect(explain('1.2', ['1.2.3', '1.2'], 'helm')).toEqual([
      { tag: '1.2.3', reason: 'is not 1.2, and a version in full or in part is taken as it is written' },
    ])
  })

  test('a list without versions is one for Helm, whatever the range', () => {
    expect(explain('no range', ['latest'], 'helm')).toEqual([
      { tag: 'latest', reason: 'is no version: it does not begin with a number' },
    ])
  })

  test('a tag that exists is one for Argo CD', () => {
    expect(explain('1.x', ['1.x', '1.2.3'], 'argo')).toEqual([
      { tag: '1.2.3', reason: 'is not 1.x, and a tag that exists is taken as it is' },
    ])
  })

  test('Argo CD gives up on a list', () => {
    expect(explain('>=1', ['1.0.0', '1.2.3-01'], 'argo')[0]?.reason).toBe(
      'is in a list that Argo CD gives up on, because 1.2.3-01 looks like a version and is none',
    )
  })

  test('Argo CD asks for a tag that cannot be', () => {
    expect(explain('>=1', ['1.0.0', '1.2.3_b'], 'argo')).toEqual([
      { tag: '1.0.0', reason: 'matches, but 1.2.3_b is higher' },
      { tag: '1.2.3_b', reason: 'matches, but the client then asks for 1.2.3+b, which is not listed' },
    ])
  })

  test('Helm before 3.19 asks for another tag', () => {
    expect(explain('>=1', ['1.2.3-', '1.2.3'], 'helm-legacy')).toEqual([
      { tag: '1.2.3-', reason: 'matches, but the client then asks for 1.2.3' },
    ])
  })
})

test('a range that cannot be read is not explained', () => {
  expect(() => explain('^', ['1.0.0'], 'helm')).toThrow(InvalidRangeError)
})
