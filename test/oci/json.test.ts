import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createGauge, parseJson, parseUnambiguousJson } from '../../src/oci/json.ts'

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

describe('two members of one name', () => {
  test.each([
    '{"a":1,"a":2}',
    '{"a":{"b":1},"a":{}}',
    '[{"x":[{"a":1,"b":2,"a":1}]}]',
    '{"a":1,"\\u0061":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"":1,"":1}',
  ])('in %s are refused', (text) => {
    expect(() => parseUnambiguousJson(Buffer.from(text))).toThrow('two members of one name')
    expect(() => parse(text)).not.toThrow()
  })

  test.each(['{"a":1,"A":2}', '{"a":{"a":{"a":1}}}', '[{"a":1},{"a":1}]', '{"a":"\\"b\\":","b":":"}', '":"', '{}'])(
    'there are none in %s',
    (text) => {
      expect(plain(parseUnambiguousJson(Buffer.from(text)))).toBe(plain(JSON.parse(text)))
    },
  )
})

describe('a gauge', () => {
  const limits = { depth: 3, elements: 12, string: 6 }

  test('finds in parts what it finds in the whole', () => {
    const cuts = fc.array(fc.nat({ max: 60 }), { maxLength: 6 })
    const letters = fc.constantFrom('[', ']', '{', '}', '"', '\\', ',', ':', 'a', '7', ' ', '\\"')
    const text = fc.array(letters, { maxLength: 60 }).map((all) => all.join(''))
    fc.assert(
      fc.property(text, cuts, (document, at) => {
        const bytes = Buffer.from(document)
        const ends = [...at.toSorted((a, b) => a - b), bytes.length]
        const parts = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
        expect(verdict(parts)).toEqual(verdict([bytes]))
      }),
      { numRuns: 5000 },
    )
  })

  test('speaks up with the byte that is too much, not at the end', () => {
    const gauge = createGauge()
    for (let depth = 0; depth < 32; depth += 1) gauge.take(Buffer.from('['))
    expect(() => gauge.take(Buffer.from('['))).toThrow('nested deeper than 32 levels')
  })

  function verdict(parts: Uint8Array[]): unknown {
    const gauge = createGauge(limits)
    try {
      for (const part of parts) gauge.take(part)
      return gauge.members()
    } catch (error) {
      return String(error)
    }
  }
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
