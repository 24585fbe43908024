import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { explain } from '../../src/version/explain.ts'
import { InvalidRangeError } from '../../src/version/invalid-range.ts'
import { pick } from '../../src/version/pick.ts'
import { profiles } from '../../src/version/profile.ts'
import { rank } from '../../src/version/rank.ts'

test('all matches are ranked, best first, equal ones as listed', () => {
  expect(rank('^1', ['1.0.0', '1.2.0_b', '2.0.0', '1.2.0_a', '1.10.0', 'latest'], 'helm')).toEqual([
    '1.10.0',
    '1.2.0_b',
    '1.2.0_a',
    '1.0.0',
  ])
})

test('a literal tag is the only one', () => {
  expect(rank('1.2', ['1.2', '1.2.3'], 'helm')).toEqual(['1.2'])
  expect(rank('1.3', ['1.2', '1.3.3'], 'helm')).toEqual([])
})

test('where the client cannot ask for the best, it does not take the second', () => {
  expect(rank('>=1', ['1.0.0', '1.2.3_b'], 'argo')).toEqual([])
  expect(rank('>=1', ['1.0.0', '1.0.0_a', '0.9.0', '1.2.3'], 'argo')).toEqual(['1.2.3', '1.0.0'])
})

test('a tag that is asked for under another name is ranked once', () => {
  expect(rank('>=1', ['1.2.3-', '1.2.3', '1.0.0'], 'helm-legacy')).toEqual(['1.2.3', '1.0.0'])
})

const number = fc.oneof(
  { arbitrary: fc.nat(3).map(String), weight: 5 },
  fc.constantFrom('10', '9007199254740993', '01'),
)
const identifier = fc.constantFrom('0', '1', '10', 'alpha', 'rc', 'x-y', '18446744073709551616')
const prerelease = fc.array(identifier, { minLength: 1, maxLength: 3 }).map((all) => `-${all.join('.')}`)
const suffix = fc.oneof({ arbitrary: fc.constant(''), weight: 3 }, prerelease)
const version = fc.tuple(number, number, number, suffix).map(([a, b, c, end]) => `${a}.${b}.${c}${end}`)
const build = fc.constantFrom('', '', '', '_b1', '_b2')
const tag = fc.oneof(
  { arbitrary: fc.tuple(fc.constantFrom('', '', 'v'), version, build).map((parts) => parts.join('')), weight: 9 },
  fc.constantFrom('latest', '1', '1.2', '1.2.3-', '1-alpine'),
)
const tags = fc.uniqueArray(tag, { maxLength: 20 })
const partial = fc.oneof(
  version,
  number,
  fc.tuple(number, fc.oneof(number, fc.constantFrom('x', '*'))).map((all) => all.join('.')),
)
const operator = fc.constantFrom('', '=', '!=', '>', '>=', '<', '<=', '~', '^')
const comparator = fc.tuple(operator, partial).map((all) => all.join(''))
const group = fc.array(comparator, { minLength: 1, maxLength: 3 }).map((all) => all.join(' '))
const range = fc.array(group, { minLength: 1, maxLength: 3 }).map((all) => all.join(' || '))

/** Undefined for a range that this profile cannot read. */
function answered<Answer>(ask: () => Answer): Answer | undefined {
  try {
    return ask()
  } catch (error) {
    if (error instanceof InvalidRangeError) return undefined
    throw error
  }
}

describe.each(profiles)('for any range and list, %s', (profile) => {
  const all = (run: (range: string, tags: string[]) => void) =>
    fc.assert(fc.property(range, tags, run), { numRuns: 200 })

  test('picks the first of its ranks, and ranks nothing that is not listed, nor twice', () => {
    all((given, listed) => {
      const ranked = answered(() => rank(given, listed, profile))
      if (ranked === undefined) return
      expect(ranked[0]).toBe(pick(given, listed, profile))
      expect(ranked.filter((each) => !listed.includes(each))).toEqual([])
      expect(new Set(ranked).size).toBe(ranked.length)
    })
  })

  test('takes the second of its ranks when the best is gone', () => {
    all((given, listed) => {
      const [, ...rest] = answered(() => rank(given, listed, profile)) ?? []
      if (rest.length > 0) expect(pick(given, rest, profile)).toBe(rest[0])
    })
  })

  test('does not change its mind when a loser goes', () => {
    fc.assert(
      fc.property(range, tags, fc.nat(), (given, listed, index) => {
        const picked = answered(() => pick(given, listed, profile))
        const loser = listed[index % listed.length]
        if (picked === undefined || loser === undefined || loser === picked) return
        expect(
          pick(
            given,
            listed.filter((each) => each !== loser),
            profile,
          ),
        ).toBe(picked)
      }),
    )
  })

  test('finds each candidate good on its own', () => {
    all((given, listed) => {
      for (const candidate of answered(() => rank(given, listed, profile)) ?? []) {
        expect(pick(given, [candidate], profile)).toBe(candidate)
      }
    })
  })

  test('explains all but what it takes', () => {
    all((given, listed) => {
      const losers = answered(() => explain(given, listed, profile))
      if (losers === undefined) return
      const picked = pick(given, listed, profile)
      expect(losers.map((loser) => loser.tag)).toEqual(listed.filter((each) => each !== picked))
      expect(losers.filter(({ reason }) => !/^(is|has|matches|moves) ?/.test(reason))).toEqual([])
    })
  })

  test('throws nothing but InvalidRangeError, whatever the range', () => {
    const text = fc.string({ unit: fc.constantFrom(...Array.from('0123vxX*|.,-+<>=!~^ _aé\u00a0')), maxLength: 40 })
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), tags, (given, listed) => {
        const picked = answered(() => pick(given, listed, profile))
        if (picked !== undefined) expect(listed).toContain(picked)
      }),
      { numRuns: 400 },
    )
  })
})
