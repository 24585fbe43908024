import { describe, expect, it } from 'vitest'
import { createAbsences } from '../../src/proxied/absences.ts'

describe('an absence', () => {
  it('is remembered for its time, also where the clock is set back', () => {
    let now = 1_000_000
    const absences = createAbsences({ time: 10_000, now: () => now })
    absences.add('a')
    expect(absences.has('a')).toBe(true)
    expect(absences.has('b')).toBe(false)
    now += 9_999
    expect(absences.has('a')).toBe(true)
    now += 1
    expect(absences.has('a')).toBe(false)
    absences.add('a')
    now -= 500_000
    expect(absences.has('a')).toBe(false)
  })

  it('is forgotten where there are too many, the oldest first', () => {
    const absences = createAbsences({ time: 10_000, now: () => 0, most: 2 })
    for (const key of ['a', 'b', 'a', 'c']) absences.add(key)
    expect(['a', 'b', 'c'].map((key) => absences.has(key))).toEqual([true, false, true])
  })
})
