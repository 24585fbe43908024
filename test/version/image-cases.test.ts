import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { imageDialect } from '../../src/version/image.ts'
import { InvalidRangeError } from '../../src/version/invalid-range.ts'
import { tagFolder } from '../support/content.ts'
import { highest } from '../../src/version/pick.ts'

interface Case {
  image: string
  range: string
  expected: string
  why: string
}

const cases: Case[] = readFileSync(join(import.meta.dirname, 'image-cases.tsv'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [image = '', range = '', expected = '', why = ''] = line.split('\t')
    return { image, range, expected, why }
  })

const lists = new Map(Array.from(new Set(cases.map(({ image }) => image)), (image) => [image, tagsOf(image)]))

test('there are at least 150 hand-checked cases over seven real lists', () => {
  expect(cases.length).toBeGreaterThanOrEqual(150)
  expect([...lists.keys()].toSorted()).toEqual(['alpine', 'debian', 'golang', 'nginx', 'node', 'python', 'redis'])
  expect(cases.filter(({ why }) => why === '')).toEqual([])
})

describe.each([...lists])('%s', (image, tags) => {
  test.each(cases.filter((each) => each.image === image))('$range is $expected: $why', ({ range, expected }) => {
    expect(answer(range, tags)).toBe(expected)
  })
})

function answer(range: string, tags: string[]): string {
  try {
    return highest(imageDialect, range, tags) ?? 'NONE'
  } catch (error) {
    if (error instanceof InvalidRangeError) return 'INVALID'
    throw error
  }
}

function tagsOf(image: string): string[] {
  return readFileSync(join(tagFolder, `${image}.txt`), 'utf8')
    .trimEnd()
    .split('\n')
}
