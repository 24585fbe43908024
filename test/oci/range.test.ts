import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ByteRange, parseRange, spanOf } from '../../src/oci/range.ts'

describe('a Range header', () => {
  test.each<[string | undefined, ByteRange | 'whole' | 'invalid']>([
    [undefined, 'whole'],
    ['', 'whole'],
    ['bytes', 'whole'],
    ['items=0-1', 'whole'],
    ['bytes=0-', { from: 0 }],
    ['bytes=500-1499', { from: 500, to: 1499 }],
    ['bytes=-500', { last: 500 }],
    [' Bytes = 5-6 ', { from: 5, to: 6 }],
    ['bytes=0-1,5-6', 'whole'],
    ['bytes=0-1, -5', 'whole'],
    ['bytes=', 'invalid'],
    ['bytes=-', 'invalid'],
    ['bytes=x-y', 'invalid'],
    ['bytes=1', 'invalid'],
    ['bytes=--1', 'invalid'],
    ['bytes=1-2-3', 'invalid'],
    ['bytes=0-1,x', 'invalid'],
    ['bytes=0-1,', 'invalid'],
    [`bytes=0-${'9'.repeat(20)}`, { from: 0, to: 1e20 }],
    [`bytes=${'9'.repeat(310)}-`, { from: Number.POSITIVE_INFINITY }],
    ['bytes=1.5-2', 'invalid'],
    ['bytes=+1-2', 'invalid'],
  ])('%j is %j', (header, expected) => {
    expect(parseRange(header)).toEqual(expected)
  })
})

describe('a span', () => {
  test.each<[ByteRange, number, { start: number; end: number } | undefined]>([
    [{ from: 0 }, 10, { start: 0, end: 10 }],
    [{ from: 9 }, 10, { start: 9, end: 10 }],
    [{ from: 10 }, 10, undefined],
    [{ from: 0 }, 0, undefined],
    [{ from: 2, to: 4 }, 10, { start: 2, end: 5 }],
    [{ from: 2, to: 99 }, 10, { start: 2, end: 10 }],
    [{ from: 5, to: 4 }, 10, undefined],
    [{ from: 2, to: 1e20 }, 10, { start: 2, end: 10 }],
    [{ from: 1e20 }, 10, undefined],
    [{ from: 2, to: Number.POSITIVE_INFINITY }, 10, { start: 2, end: 10 }],
    [{ from: Number.POSITIVE_INFINITY }, 10, undefined],
    [{ last: Number.POSITIVE_INFINITY }, 10, { start: 0, end: 10 }],
    [{ last: 3 }, 10, { start: 7, end: 10 }],
    [{ last: 99 }, 10, { start: 0, end: 10 }],
    [{ last: 0 }, 10, undefined],
    [{ last: 1 }, 0, undefined],
  ])('of %j in %i bytes is %j', (range, size, expected) => {
    expect(spanOf(range, size)).toEqual(expected)
  })

  test('lies inside of the body and is never empty', () => {
    const number = fc.nat({ max: 1000 })
    const range = fc.oneof(
      fc.record({ from: number }),
      fc.record({ from: number, to: number }),
      fc.record({ last: number }),
    )
    fc.assert(
      fc.property(range, number, (asked, size) => {
        const { start, end } = spanOf(asked, size) ?? { start: 0, end: 1 }
        expect(start).toBeGreaterThanOrEqual(0)
        expect(end).toBeGreaterThan(start)
        expect(end).toBeLessThanOrEqual(Math.max(size, 1))
      }),
    )
  })

  test('of a header that was written from it is the same', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (start, length) => {
        const range = parseRange(`bytes=${start}-${start + length}`)
        expect(range).toEqual({ from: start, to: start + length })
      }),
    )
  })
})
