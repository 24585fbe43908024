/** JSON from outside: measured byte by byte before it is parsed, so that a small document cannot cost much time or memory. */

export interface JsonLimits {
  /** Nesting of arrays and objects. */
  depth: number
  /** Values in all: members, items and containers. */
  elements: number
  /** Bytes of one string as it is written. */
  string: number
}

/** Measures a document as it arrives. */
export interface JsonGauge {
  /** @throws SyntaxError as soon as what has come is larger than the limits */
  take(bytes: Uint8Array): void
  /** Members of objects so far, as they are written: two of one name count twice. */
  members(): number
}

const defaultLimits: JsonLimits = { depth: 32, elements: 20_000, string: 64 * 1024 }
/** Digits. */
const longestNumber = 64

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/** By byte: whether it counts for anything outside of strings; most of a document does not. */
const counts = new Uint8Array(256)
for (const byte of [quote, comma, colon, openBracket, closeBracket, openBrace, closeBrace]) counts[byte] = 1
for (let digit = 0x30; digit <= 0x39; digit += 1) counts[digit] = 1

/**
 * The value of a JSON document; its objects have no prototype, so a member called `__proto__` or `constructor` is a member like any other.
 * @throws SyntaxError when it is no JSON in UTF-8, or larger than the limits
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits = defaultLimits): unknown {
  createGauge(limits).take(bytes)
  return JSON.parse(decode(bytes), (_key, value) => withoutPrototype(value))
}

/**
 * As {@link parseJson}, for documents that others read too: of two members of one name some readers take the last, Go merges them.
 * @throws SyntaxError also where an object has two members of one name
 */
export function parseUnambiguousJson(bytes: Uint8Array, limits: JsonLimits = defaultLimits): unknown {
  const gauge = createGauge(limits)
  gauge.take(bytes)
  let members = 0
  const value: unknown = JSON.parse(decode(bytes), (_key, item) => {
    if (isObject(item)) members += Object.keys(item).length
    return withoutPrototype(item)
  })
  if (members !== gauge.members()) throw new SyntaxError('an object has two members of one name')
  return value
}

/** Knows only enough of the grammar to count; what is no JSON is left for JSON.parse to refuse. */
export function createGauge(limits: JsonLimits = defaultLimits): JsonGauge {
  let depth = 0
  let elements = 1
  let members = 0
  let digits = 0
  /** Bytes of the string that has begun; none outside of one. */
  let string: number | undefined
  let isEscaped = false

  /** The position after the closing quote, or the end of what has come. */
  function restOfString(bytes: Uint8Array, start: number, before: number): number {
    const last = Math.min(bytes.length - 1, start + limits.string - before)
    let skips = isEscaped
    for (let at = start; at <= last; at += 1) {
      const byte = bytes[at]
      if (skips) skips = false
      else if (byte === backslash) skips = true
      else if (byte === quote) {
        string = undefined
        isEscaped = false
        return at + 1
      }
    }
    string = before + bytes.length - start
    isEscaped = skips
    if (string > limits.string) throw new SyntaxError(`a string longer than ${limits.string} bytes`)
    return bytes.length
  }

  function count(byte: number): void {
    if (byte === openBracket || byte === openBrace) {
      depth += 1
      elements += 1
    } else if (byte === closeBracket || byte === closeBrace) depth -= 1
    else if (byte === comma) elements += 1
    else if (byte === colon) members += 1
    else digits += 1
    if (depth > limits.depth) throw new SyntaxError(`nested deeper than ${limits.depth} levels`)
    if (elements > limits.elements) throw new SyntaxError(`more than ${limits.elements} elements`)
    if (digits > longestNumber) throw new SyntaxError(`a number longer than ${longestNumber} digits`)
  }

  return {
    members: () => members,
    take(bytes) {
      let at = string === undefined ? 0 : restOfString(bytes, 0, string)
      while (at < bytes.length) {
        const byte = bytes[at] ?? 0
        at += 1
        if (counts[byte] === 0) continue
        if (!isDigit(byte)) digits = 0
        if (byte === quote) at = restOfString(bytes, at, 0)
        else count(byte)
      }
    },
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new SyntaxError('not UTF-8', { cause })
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function withoutPrototype(value: unknown): unknown {
  if (isObject(value)) Object.setPrototypeOf(value, null)
  return value
}
