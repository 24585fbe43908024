import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Challenge, parseChallenges } from '../../../src/upstream/challenge.ts'

function plain(challenges: Challenge[]) {
  return challenges.map(({ scheme, parameters, token68 }) => ({
    scheme,
    ...Object.fromEntries(parameters),
    ...(token68 !== undefined && { token68 }),
  }))
}

const rows: [what: string, lines: string[], expected: Record<string, string>[]][] = [
  ['nothing', [], []],
  ['an empty line', [''], []],
  ['a scheme alone', ['Negotiate'], [{ scheme: 'negotiate' }]],
  ['Basic with a realm', ['Basic realm="Registry Realm"'], [{ scheme: 'basic', realm: 'Registry Realm' }]],
  [
    'Docker Hub',
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull,push"',
    ],
    [
      {
        scheme: 'bearer',
        realm: 'https://auth.docker.io/token',
        service: 'registry.docker.io',
        scope: 'repository:library/alpine:pull,push',
      },
    ],
  ],
  [
    'two challenges in one line',
    ['Basic realm="a, b", Bearer realm="https://h/t",scope="x:y:pull,push"'],
    [
      { scheme: 'basic', realm: 'a, b' },
      { scheme: 'bearer', realm: 'https://h/t', scope: 'x:y:pull,push' },
    ],
  ],
  [
    'two challenges in two lines',
    ['Bearer realm="https://h/t"', 'Basic realm="r"'],
    [
      { scheme: 'bearer', realm: 'https://h/t' },
      { scheme: 'basic', realm: 'r' },
    ],
  ],
  ['any case', ['bEARER REALM="https://H/t",Service="S"'], [{ scheme: 'bearer', realm: 'https://H/t', service: 'S' }]],
  [
    'values without quotes',
    ['Bearer realm=https://h/t,service=s'],
    [{ scheme: 'bearer', realm: 'https://h/t', service: 's' }],
  ],
  ['blanks around the equals sign', ['Basic realm = "r"'], [{ scheme: 'basic', realm: 'r' }]],
  ['escaped quotes', [String.raw`Basic realm="a\"b\\c"`], [{ scheme: 'basic', realm: String.raw`a"b\c` }]],
  [
    'token68',
    ['Negotiate YWJj==, Basic realm="r"'],
    [
      { scheme: 'negotiate', token68: 'YWJj==' },
      { scheme: 'basic', realm: 'r' },
    ],
  ],
  ['empty list elements', [', ,Basic realm="r",, ,'], [{ scheme: 'basic', realm: 'r' }]],
  [
    'a scheme alone before another',
    ['Negotiate, Basic realm="r"'],
    [{ scheme: 'negotiate' }, { scheme: 'basic', realm: 'r' }],
  ],
  [
    'a missing comma',
    ['Bearer realm="https://h/t" service="s"'],
    [{ scheme: 'bearer', realm: 'https://h/t', service: 's' }],
  ],
  ['a repeated parameter: the first', ['Bearer realm="one",realm="two"'], [{ scheme: 'bearer', realm: 'one' }]],
  ['a quote that is never closed', ['Bearer realm="https://h/t'], [{ scheme: 'bearer' }]],
  ['junk before a challenge', ['@@, Basic realm="r"'], [{ scheme: 'basic', realm: 'r' }]],
  ['parameters of no challenge', ['realm="r", service=s'], []],
  [
    'a name of Object.prototype',
    ['Bearer __proto__="x", realm="r"'],
    [{ scheme: 'bearer', realm: 'r', ['__proto__']: 'x' }],
  ],
]

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, String.raw`\$&`)}"`
}

describe('parseChallenges', () => {
  test.each(rows)('reads %s', (_what, lines, expected) => {
    expect(plain(parseChallenges(lines))).toEqual(expected)
  })

  const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,8}$/)
  const value = fc.oneof(fc.string({ unit: 'binary-ascii', maxLength: 30 }), fc.constant('repository:a/b:pull,push'))
  const challenge = fc.record({
    scheme: word,
    parameters: fc.uniqueArray(fc.tuple(word, value), {
      selector: ([key]) => key.toLowerCase(),
      minLength: 1,
      maxLength: 5,
    }),
  })

  test('reads back what was written, in one header or in many', () => {
    fc.assert(
      fc.property(
        fc.array(challenge, { maxLength: 5 }),
        fc.boolean(),
        fc.constantFrom(',', ', ', ' ,\t'),
        (all, oneLine, comma) => {
          const written = all.map(
            ({ scheme, parameters }) =>
              `${scheme} ${parameters.map(([key, text]) => `${key}=${quote(text)}`).join(comma)}`,
          )
          const expected = all.map(({ scheme, parameters }) => ({
            scheme: scheme.toLowerCase(),
            parameters: new Map(parameters.map(([key, text]) => [key.toLowerCase(), text])),
          }))
          expect(parseChallenges(oneLine ? [written.join(comma)] : written)).toEqual(expected)
        },
      ),
    )
  })

  test('never throws, and finds no more than 32 challenges', () => {
    const junk = fc.string({
      unit: fc.constantFrom('a', 'B', '=', '"', ',', ' ', '\\', '\t', ';', '/', ':', '~', '@', '\u00e9', '\0'),
      maxLength: 200,
    })
    fc.assert(
      fc.property(fc.array(junk, { maxLength: 40 }), (lines) => {
        expect(parseChallenges(lines).length).toBeLessThanOrEqual(32)
      }),
      { numRuns: 2000 },
    )
  })

  test.each(['a', '"', ',', '=', 'a=', ' ', 'a ', '\\', 'x=" ', 'a=a', 'b = ', 'Aa=='])(
    'takes no quadratic time over half a million characters of %j',
    (unit) => {
      const line = `Bearer ${unit.repeat(500_000 / unit.length)}!`
      const started = performance.now()
      parseChallenges([line, `Bearer realm="${line}`, line])
      // Quadratic time would be minutes.
      expect(performance.now() - started).toBeLessThan(5_000)
    },
  )
})
