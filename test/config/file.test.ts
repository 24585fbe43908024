import { describe, expect, test } from 'vitest'
import { createHome } from './support.ts'

describe('a star without quotes stops the start', () => {
  test.each([
    ['freshFor: 1m\nnames: [*]', '2:9'],
    ['freshFor: 1m\nhosted: [**]', '2:10'],
    ['hosted:\n  - local/**\n  - */x', '3:5'],
    ['access:\n  htpasswd: h\n  rules:\n    - users: [anonymous, *]', '4:26'],
    ['access:\n  htpasswd: h\n  rules:\n    - users:\n      - *\n      actions: [pull]', '5:9'],
  ])('%j, at the star', (yaml, place) => {
    expect(createHome().problems(yaml)).toEqual([
      `c.yaml:${place}: YAML reads a * at the start of a value as an alias: put it in quotes, as in '*'`,
    ])
  })

  test('but an alias of what stands in the file is taken', () => {
    expect(
      createHome().load('names: &us [a.internal]\nupstreams: { a.example: { redirectHosts: *us } }').names,
    ).toEqual(['a.internal'])
  })
})
