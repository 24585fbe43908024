import { describe, expect, test } from 'vitest'
import { imageDialect } from '../../src/version/image.ts'
import { isAlias, isDate, prereleaseOf, variantOf, type ImageVersion } from '../../src/version/image-version.ts'
import { nearest } from '../../src/version/nearest.ts'
import { highest } from '../../src/version/pick.ts'

const read = (tag: string): ImageVersion | undefined => imageDialect.read(tag)
const compare = (a: ImageVersion, b: ImageVersion): number => imageDialect.compare(a, b)

describe('read', () => {
  test.each([
    ['22', [22], '', '', true],
    ['22.9', [22, 9], '', '', true],
    ['22.9.0', [22, 9, 0], '', '', false],
    ['1.2.3.4', [1, 2, 3, 4], '', '', false],
    ['v1.2.3', [1, 2, 3], '', '', false],
    ['24.04', [24, 4], '', '', true],
    ['22.9.0-alpine3.20', [22, 9, 0], '', 'alpine3.20', false],
    ['1.27-alpine-slim', [1, 27], '', 'alpine-slim', true],
    ['1.24rc1', [1, 24], 'rc1', '', false],
    ['1.24rc1-alpine', [1, 24], 'rc1', 'alpine', false],
    ['3.14.0a2-slim-bookworm', [3, 14, 0], 'a2', 'slim-bookworm', false],
    ['3.17.0_rc1', [3, 17, 0], '_rc1', '', false],
    ['1.0.0-rc.1', [1, 0, 0], 'rc.1', '', false],
    ['1.0.0-RC1-jdk17', [1, 0, 0], 'RC1', 'jdk17', false],
    ['6.2-rc2-bookworm', [6, 2], 'rc2', 'bookworm', false],
    ['8.0-M04', [8, 0], 'M04', '', false],
    ['3.14-rc-slim', [3, 14], 'rc', 'slim', true],
    ['24-ea-jdk', [24], 'ea', 'jdk', true],
    ['3.0.0-SNAPSHOT', [3, 0, 0], 'SNAPSHOT', '', false],
    ['1.0.0-0', [1, 0, 0], '0', '', false],
    ['1.0.0-preview.3', [1, 0, 0], 'preview.3', '', false],
    ['1.0.0-dev.3', [1, 0, 0], 'dev.3', '', false],
    ['1.0.0-dev', [1, 0, 0], '', 'dev', false],
    ['1.0.0-m', [1, 0, 0], '', 'm', false],
    ['1.0.0-alphanumeric', [1, 0, 0], '', 'alphanumeric', false],
    ['1.0.0-1', [1, 0, 0], '', '1', false],
    ['1.0.0-b13', [1, 0, 0], '', 'b13', false],
    ['1.0.0-00', [1, 0, 0], '', '00', false],
    ['4.0-32bit', [4, 0], '', '32bit', true],
    ['17.0.11_9-jdk-alpine', [17, 0, 11], '', 'jdk-alpine', false],
    ['21_35-jdk', [21], '', 'jdk', false],
    ['2024-11-01', [2024], '', '11-01', true],
    ['18446744073709551615', [18446744073709551615n], '', '', true],
  ])('%s', (tag, numbers, prerelease, variant, alias) => {
    const version = versionOf(tag)
    expect([version.first, version.second, version.third, version.fourth].filter((number) => number >= 0)).toEqual(
      numbers,
    )
    expect([prereleaseOf(version), variantOf(version), isAlias(version)]).toEqual([prerelease, variant, alias])
  })

  test.each([
    ['latest', 'it does not begin with a number'],
    ['', 'it does not begin with a number'],
    ['v', 'it does not begin with a number'],
    ['V1.2.3', 'it does not begin with a number'],
    ['stable-20240101', 'it does not begin with a number'],
    ['1.', 'no number follows its dot'],
    ['1..2', 'no number follows its dot'],
    ['1.2.3.Final', 'no number follows its dot'],
    ['1.2.3.4.5', 'it has more than four numbers'],
    ['18446744073709551616.1', '18446744073709551616 is over 2^64 - 1'],
    ['0a1b2c3', 'it reads as a commit hash'],
    ['1234a12', 'it reads as a commit hash'],
    ['32bit', 'what follows its numbers is no prerelease and no variant'],
    ['1.1.1w', 'what follows its numbers is no prerelease and no variant'],
    ['8u392-b08-jdk', 'what follows its numbers is no prerelease and no variant'],
    ['1.2-', 'what follows its numbers is no prerelease and no variant'],
    ['1.2_', 'what follows its numbers is no prerelease and no variant'],
    ['1.2.3a', 'what follows its numbers is no prerelease and no variant'],
    [`1-${'a'.repeat(255)}`, 'it is longer than 256 bytes'],
  ])('%s is no version: %s', (tag, why) => {
    expect(read(tag)).toBeUndefined()
    expect(imageDialect.whyUnread?.(tag)).toBe(why)
  })

  test('an all-digit tag is no commit hash, and a date from eight digits on', () => {
    expect(isDate(versionOf('1234567'))).toBe(false)
    expect(isDate(versionOf('20240807'))).toBe(true)
    expect(isDate(versionOf('2024.08.07'))).toBe(false)
  })
})

test('compare puts tags in this order', () => {
  const ordered = [
    '20240807 20260805 21-jdk 22 9999999 1.2 1.24 1.3.0-0 1.3.0-alpha.1 1.3.0-alpha.beta 1.3.0-beta.2 1.3.0-beta.11 1.3.0-RC1 1.3.0rc2',
    '1.3.0 1.3.0.1 1.24rc1 1.24.0b9 1.24.0b10 1.24.0rc 1.24.0rc1 1.24.0 21_35-jdk 21.0.1_12-jdk 22.9 22.10 22.9.0 22.10.0',
    '24.04 24.10 24.04.1 2024.11.1 999999.1',
  ].flatMap((line) => line.split(' '))
  expect(ordered.toReversed().toSorted((a, b) => compare(versionOf(a), versionOf(b)))).toEqual(ordered)
  expect(compare(versionOf('1.9007199254740994'), versionOf('1.9007199254740993'))).toBeGreaterThan(0)
})

test.each([
  ['1.2.3', 'v1.2.3'],
  ['1.2.3', '01.002.3'],
  ['1.2.3-alpine', '1.2.3-slim'],
  ['1.2.3rc1', '1.2.3-rc.1'],
  ['1.2.3_rc1', '1.2.3-RC1'],
  ['1.2.3-rc01', '1.2.3-rc1'],
])('%s and %s are a tie', (a, b) => {
  expect(compare(versionOf(a), versionOf(b))).toBe(0)
  expect(compare(versionOf(b), versionOf(a))).toBe(0)
})

describe('highest', () => {
  test.each([
    ['22.x', ['22', '22.9', '22.9.0-rc1'], '22.9'],
    ['>=21', ['22', '21.9.0'], '21.9.0'],
    ['22.x', ['22', '22.4', '22.3.0'], '22.3.0'],
    ['*', ['13', '12.8', '7.11', '6.0.10'], '12.8'],
    ['*', ['20240807', '3.20.3'], '3.20.3'],
    ['*', ['20240807', '20231219'], '20240807'],
    ['*', ['latest', '20240807'], '20240807'],
    ['>=3', ['20240807'], undefined],
    ['!=3.20', ['20240807', '3.20'], undefined],
    ['>=24.04', ['22.04', '24.04', '23.10'], '24.04'],
    ['^24.04', ['24.4', '24.04'], '24.4'],
    ['^24.04', ['24.04', '24.4'], '24.04'],
    ['*', ['2024.11.1', '118.3'], '2024.11.1'],
    ['1.2.3', ['v1.2.3'], 'v1.2.3'],
    ['v1.2.3', ['1.2.3'], '1.2.3'],
    ['1.2.3', ['1.2.3.1'], undefined],
    ['1.2.3.x', ['1.2.3', '1.2.3.9', '1.2.3.10', '1.2.4'], '1.2.3.10'],
    ['>1.2.3 <1.2.4', ['1.2.3', '1.2.3.9', '1.2.3.10', '1.2.4'], '1.2.3.10'],
    ['~1.2.3.4', ['1.2.3.3', '1.2.3.5', '1.2.9.0', '1.3.0.0'], '1.2.9.0'],
    ['^1.2.3.4', ['1.2.3.3', '1.9.0.0', '2.0.0.0'], '1.9.0.0'],
    ['^0.0.3', ['0.0.3', '0.0.4'], '0.0.3'],
    ['^0.0.3', ['0.0.3', '0.0.3.7', '0.0.4'], '0.0.3.7'],
    ['^0.0', ['0.0.3', '0.0.4', '0.1.0'], '0.0.4'],
    ['^0.0.0.4', ['0.0.0.4', '0.0.0.5'], '0.0.0.4'],
    ['^0.2.0', ['0.2.9', '0.3.0'], '0.2.9'],
    ['~0', ['0.2.9', '0.3.0', '1.0.0'], '0.3.0'],
    ['17.x-jdk', ['17-jdk', '17.0.9_9-jdk', '17.0.11_9-jdk', '17.0.11_10-jdk'], '17.0.11_10-jdk'],
    ['17.0.11_9-jdk', ['17.0.11_9-jdk', '17.0.11_10-jdk'], '17.0.11_9-jdk'],
    ['<17.0.11_10-jdk', ['17.0.11_9-jdk', '17.0.11_10-jdk', '17-jdk'], '17.0.11_9-jdk'],
    ['>=21-jdk', ['21-jdk', '21_35-jdk'], '21_35-jdk'],
    ['<2', ['2.0.0-rc.1', '1.0.0'], '1.0.0'],
    ['<2-0', ['2.0.0-rc.1', '1.0.0-rc.1'], '1.0.0-rc.1'],
    ['>=1.0.0-0 <2.0.0', ['2.0.0-rc.1', '1.0.0'], '2.0.0-rc.1'],
    ['>=1.0.0-0 <2', ['2.0.0-rc.1', '1.0.0'], '1.0.0'],
    ['^1.0.0-0', ['2.0.0-rc.1', '1.0.0'], '1.0.0'],
    ['>0.0.0-0', ['2.0.0-rc.1', '1.0.0'], '2.0.0-rc.1'],
    ['=1.2.3-0', ['1.2.3', '1.2.3-rc.1'], undefined],
    ['!=1.2 >=1.0.0-0', ['1.2.0-rc.1', '1.2.3', '1.1.0'], '1.1.0'],
    ['1.x || 2.0.0-rc.1', ['1.9.0-rc.1', '1.8.0'], '1.8.0'],
    ['^1-alpine || ^1-slim', ['1.0.0-slim', '1.0.0-alpine'], '1.0.0-slim'],
    ['24.x-ea', ['24-ea', '24-ea-jdk'], '24-ea'],
    ['>=9007199254740993', ['9007199254740992', '9007199254740993'], '9007199254740993'],
    ['>9007199254740993.1', ['9007199254740993.1.0'], undefined],
    ['>9007199254740993.0', ['9007199254740993.1.0'], '9007199254740993.1.0'],
  ])('%s of %j is %s', (range, tags, expected) => {
    expect(highest(imageDialect, range, tags)).toBe(expected)
  })
})

describe('why', () => {
  test.each([
    ['^22.3', '22.2.0', 'is below 22.3'],
    ['^22.3', '22', 'is below 22.3'],
    ['^22.3', '23.0.0', 'is not below 23'],
    ['>1.2', '1.2.9', 'is below 1.3'],
    ['>1.2.3', '1.2.3', 'is not above 1.2.3'],
    ['<=1.2.3', '1.2.4', 'is above 1.2.3'],
    ['<22.9.4', '22.9', 'moves along a line that ends not below 22.9.4'],
    ['!=22.9.4', '22.9.4', 'is excluded by !=22.9.4'],
    ['!=22.9.4', '22.9', 'moves along a line that !=22.9.4 cuts into'],
    ['22.x-alpine', '22.9.0-slim', 'has the variant slim, not alpine'],
    ['22.x-alpine', '22.9.0', 'has no variant, and the range asks for alpine'],
    ['22.x', '22.9.0-slim', 'has the variant slim, and the range asks for none'],
    ['3.x', '3.15.0rc1', 'is a prerelease, and the range asks for none'],
    ['>=3.15.0rc1', '3.15.0b4', 'is below 3.15.0-rc1'],
    ['>=3.15.0rc1', '3.15-rc', 'moves through prereleases that begin below 3.15.0-rc1'],
    ['>=3', '20240807', 'is a date or a build count, and the range asks for versions'],
    ['>=20240101', '3.20.3', 'is a version, and the range asks for dates or build counts'],
    ['<17.0.11_9', '17.0.11_10', 'is not below 17.0.11_9'],
    ['1.x-slim || ^2.1-alpine', '2.0.0-alpine', 'is below 2.1'],
    ['1.x-slim || ^2.1-alpine', '2.0.0-rc1-alpine', 'is a prerelease, and the range asks for none'],
    ['1.x-slim || ^2.1-alpine', '2.0.0', 'has no variant, and the range asks for slim'],
  ])('of %s, %s %s', (range, tag, why) => {
    const constraint = imageDialect.parse(range)
    expect(constraint.has(versionOf(tag))).toBe(false)
    expect(constraint.why(versionOf(tag))).toBe(why)
  })
})

describe('the aim of a range', () => {
  test.each([
    ['^27-alpine', '26.7.0-alpine'],
    ['^3.0-alpine', '4.0.0-alpine'],
    ['22.x-alpine3.25', '22.23.2-alpine3.24'],
    ['*-alpine3.25', '26.7.0-alpine'],
  ])('of %s leads to %s', (range, tag) => {
    const tags = [
      '22-alpine3.24',
      '22.23.2-alpine3.24',
      '4-alpine',
      '4.0.0-alpine',
      '22.0.0-alpine3.24',
      '26.7.0-alpine',
    ]
    expect(nearest(range, tags, 'image')[0]).toBe(tag)
  })

  test('its kin have its variant and its scheme', () => {
    const { aim } = imageDialect.parse('^3.14-slim || >=3.15.0b1-slim <4')
    const tags = ['2.0.0-slim', '2.0.0rc1-slim', '2.0.0', '2.0.0-alpine', '20240807-slim']
    expect(tags.filter((tag) => (aim?.kinship(versionOf(tag)) ?? 0) > 2)).toEqual(['2.0.0-slim', '2.0.0rc1-slim'])
  })
})

function versionOf(text: string): ImageVersion {
  const version = read(text)
  if (version === undefined) throw new Error(`${text} is no version`)
  return version
}
