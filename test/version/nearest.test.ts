import { expect, test } from 'vitest'
import { InvalidRangeError } from '../../src/version/invalid-range.ts'
import { nearest } from '../../src/version/nearest.ts'

test('above all that there is, the newest are nearest', () => {
  expect(nearest('^3.0', ['2.0.0', '2.10.0', '2.9.0', '1.0.0', 'latest'], 'helm', 3)).toEqual([
    '2.10.0',
    '2.9.0',
    '2.0.0',
  ])
})

test('below all that there is, the oldest are nearest', () => {
  expect(nearest('~1.2', ['2.0.0', '3.0.0', '2.1.0'], 'helm')).toEqual(['2.0.0', '2.1.0', '3.0.0'])
})

test('between what there is, both sides take turns', () => {
  expect(nearest('^3', ['1.0.0', '2.0.0', '4.0.0', '5.0.0'], 'helm')).toEqual(['2.0.0', '4.0.0', '1.0.0', '5.0.0'])
})

test('of two bounds, what lies between them comes first', () => {
  expect(nearest('>1.0.0 <1.5.0 !=1.2.0', ['0.9.0', '1.2.0', '2.0.0'], 'helm', 2)).toEqual(['1.2.0', '0.9.0'])
})

test('a prerelease of the version that is asked for is near, others come after all releases', () => {
  const tags = ['1.0.0', '1.0.1', '1.1.0-rc.1', '2.0.0-rc.1', '2.0.0-rc.2']
  expect(nearest('^2.0.0', tags, 'helm')).toEqual(['2.0.0-rc.2', '2.0.0-rc.1', '1.0.1', '1.0.0', '1.1.0-rc.1'])
})

test('where prereleases are asked for, they are as near as releases', () => {
  expect(nearest('^2.0.0-0', ['1.0.0', '1.1.0-rc.1'], 'helm')).toEqual(['1.1.0-rc.1', '1.0.0'])
})

test('a version that is not there is looked for as a range is', () => {
  expect(nearest('1.2.3', ['1.2.2', '1.2.4', '2.0.0'], 'helm', 2)).toEqual(['1.2.2', '1.2.4'])
})

test('no more than five are named, unless more are wanted', () => {
  const tags = Array.from({ length: 9 }, (_, index) => `1.${index}.0`)
  expect(nearest('^2', tags, 'helm')).toHaveLength(5)
  expect(nearest('^2', tags, 'helm', 7)).toHaveLength(7)
})

test('where no tag is a version nothing is near, whatever the range', () => {
  expect(nearest('no range', ['latest'], 'helm')).toEqual([])
})

test('of an image the same variant is nearer', () => {
  expect(nearest('30.x-alpine', ['22.9.0-alpine', '23.1.0-slim', '21.0.0-alpine'], 'image')).toEqual([
    '22.9.0-alpine',
    '21.0.0-alpine',
    '23.1.0-slim',
  ])
})

test('a range that cannot be read has nothing near', () => {
  expect(() => nearest('^', ['1.0.0'], 'helm')).toThrow(InvalidRangeError)
})
