import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { InvalidRangeError } from '../../src/version/invalid-range.ts'
import { pick } from '../../src/version/pick.ts'

/** Columns: the range (it may be empty or hold spaces), the tags as JSON, what Helm picks or NONE, a note that names other clients. */
const lines = readFileSync(join(import.meta.dirname, 'semver-cases.tsv'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

const cases = lines.map((line) => {
  const [range = '', tags = '[]', expected = '', note = ''] = line.split('\t')
  return { range, tags: JSON.parse(tags) as string[], expected: tagOf(expected), note }
})

function tagOf(text: string | undefined): string | undefined {
  return text === 'NONE' ? undefined : text
}

/** What a note says of another client: `Flux OCIRepository.semver=1.2.3`. */
function others(client: string) {
  return cases.flatMap(({ range, tags, note }) => {
    const at = note.indexOf(`${client}=`)
    return at === -1 ? [] : [{ range, tags, expected: tagOf(note.slice(at + client.length + 1).split(/[;\s]/)[0]) }]
  })
}

describe('helm', () => {
  test('has all 76 vectors', () => {
    expect(cases).toHaveLength(76)
  })

  test.each(cases.filter(({ note }) => !note.includes(',error]')))('$range: $note', ({ range, tags, expected }) => {
    expect(pick(range, tags, 'helm')).toBe(expected)
  })

  test.each(cases.filter(({ note }) => note.includes(',error]')))('$range: $note', ({ range, tags }) => {
    expect(() => pick(range, tags, 'helm')).toThrow(InvalidRangeError)
  })
})

describe('flux', () => {
  const vectors = others('Flux OCIRepository.semver')
  test('has its vectors', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(6)
  })

  test.each(vectors)('$range in $tags is $expected', ({ range, tags, expected }) => {
    expect(pick(range, tags, 'flux')).toBe(expected)
  })
})

describe('helm-legacy', () => {
  const vectors = others('Helm<3.19')
  test('has its vectors', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(2)
  })

  test.each(vectors)('$range in $tags is $expected', ({ range, tags, expected }) => {
    expect(pick(range, tags, 'helm-legacy')).toBe(expected)
  })
})
