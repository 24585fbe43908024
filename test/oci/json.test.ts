import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../../src/oci/json.ts'

const fourMebibytes = 4 * 1024 * 1024

function fill(unit: string, before = '', after = ''): Buffer {
  const count = Math.floor((fourMebibytes - before.length - after.length) / unit.length)
  return Buffer.from(before + unit.repeat(count) + after)
}

describe('bombs of 4 MiB', () => {
  test.each([
    ['nested arrays', fill('[')],
    ['nested objects', fill('{"a":')],
    ['nested both', fill('[{"a":')],
    ['numbers', fill('0,', '[', '0]')],
    ['empty arrays', fill('[],', '[', '0]')],
    ['empty objects', fill('{},', '[', '0]')],
    ['nulls', fill('null,', '[', '0]')],
    ['members', fill('"a":1,', '{', '"a":1}')],
    ['short strings', fill('"",', '[', '""]')],
    ['one string', fill('a', '"', '"')],
    ['one string of escapes', fill('\\u0000', '"', '"')],
    ['one string of quotes, never closed', fill('\\"', '"')],
    ['one name', fill('a', '{"', '":1}')],
    ['one number', fill('9')],
    ['one fraction', fill('9', '[0.', ']')],
  ])('%s are refused within 20 ms', (_shape, bytes) => {
    const times = Array.from({ length: 3 }, () => cpuTimeOf(() => expect(() => parseJson(bytes)).toThrow(SyntaxError)))
    expect(Math.min(...times)).toBeLessThan(20)
  })
})

describe('limits', () => {
  test('32 levels pass, 33 do not', () => {
    expect(() => parse('['.repeat(32) + ']'.repeat(32))).not.toThrow()
    expect(() => parse('['.repeat(33) + ']'.repeat(33))).toThrow('nested deeper than 32 levels')
  })

  test('levels that were left do not count', () => {
    expect(() => parse(`[${'[[]],'.repeat(1000)}0]`)).not.toThrow()
  })

  test('a string of 64 KiB passes, one byte more does not', () => {
    expect(() => parse(JSON.stringify('x'.repeat(65_536)))).not.toThrow()
    expect(() => parse(JSON.stringify('x'.repeat(65_537)))).toThrow('a string longer than 65536 bytes')
  })

  test('19,998 items pass, 20,000 do not', () => {
    expect(() => parse(`[${'0,'.repeat(19_997)}0]`)).not.toThrow()
    expect(() => parse(`[${'0,'.repeat(19_999)}0]`)).toThrow('more than 20000 elements')
  })

  test('can be set by the caller', () => {
    expect(() => parseJson(Buffer.from('[[1]]'), { depth: 1, elements: 9, string: 9 })).toThrow('nested deeper than 1')
  })

  test('brackets, commas and digits inside strings do not count', () => {
    const text = JSON.stringify({ text: '[{,'.repeat(20_000), digits: '9'.repeat(1000), quotes: '\\"'.repeat(1000) })
    expect(parse(text)).toEqual(JSON.parse(text))
  })
})

describe('what is no JSON', () => {
  test.each(['', '{', '[1,]', '{"a"}', "{'a':1}", '"', '"\\"', 'nul', '01', '[1]]', '\uFEFF{}', '{"a":1}x', 'NaN'])(
    '%j is a SyntaxError',
    (text) => {
      expect(() => parse(text)).toThrow(SyntaxError)
    },
  )

  test('bytes that are no UTF-8 are a SyntaxError', () => {
    expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow('not UTF-8')
  })
})

describe('values', () => {
  test('objects have no prototype at any depth', () => {
    const value = parse('{"__proto__":{"polluted":true},"constructor":1,"list":[{"toString":2}]}')
    expect(Object.getPrototypeOf(value)).toBeNull()
    expect(Object.keys(Object(value))).toEqual(['__proto__', 'constructor', 'list'])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test('of any JSON within the limits are those of JSON.parse', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        expect(plain(parse(text))).toEqual(plain(JSON.parse(text)))
      }),
    )
  })

  test('any bytes give a value or a SyntaxError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(settles(bytes)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

function parse(text: string): unknown {
  return parseJson(Buffer.from(text))
}

/** Without prototypes on either side, written out again. */
function plain(value: unknown): string {
  return JSON.stringify(value)
}

function settles(bytes: Uint8Array): boolean {
  try {
    parseJson(bytes)
    return true
  } catch (error) {
    return error instanceof SyntaxError
  }
}

/** ms of this process's own time, so that a busy machine does not count. */
function cpuTimeOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
