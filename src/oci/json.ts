/** JSON from outside: measured byte by byte before it is parsed, so that a small document cannot cost much time or memory. */

export interface JsonLimits {
  /** Nesting of arrays and objects. */
  depth: number
  /** Values in all: members, items and containers. */
  elements: number
  /** Bytes of one string as it is written. */
  string: number
}

const defaultLimits: JsonLimits = { depth: 32, elements: 20_000, string: 64 * 1024 }
const longestNumber = 64

const quote = 0x22
const comma = 0x2c
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * The value of a JSON document; its objects have no prototype, so a member called `__proto__` or `constructor` is a member like any other.
 * @throws SyntaxError when it is no JSON in UTF-8, or larger than the limits
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits = defaultLimits): unknown {
  measure(bytes, limits)
  return JSON.parse(decode(bytes), withoutPrototype)
}

/** Knows only enough of the grammar to count; what is no JSON is left for JSON.parse to refuse. */
function measure(bytes: Uint8Array, limits: JsonLimits): void {
  let depth = 0
  let elements = 1
  let at = 0
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte === quote) {
      at = endOfString(bytes, at + 1, limits.string)
      continue
    }
    if (byte === openBracket || byte === openBrace) {
      depth += 1
      elements += 1
      if (depth > limits.depth) throw new SyntaxError(`nested deeper than ${limits.depth} levels`)
    } else if (byte === closeBracket || byte === closeBrace) depth -= 1
    else if (byte === comma) elements += 1
    else if (isDigit(byte)) {
      at = endOfDigits(bytes, at + 1)
      continue
    }
    if (elements > limits.elements) throw new SyntaxError(`more than ${limits.elements} elements`)
    at += 1
  }
}

/** The position after the closing quote. */
function endOfString(bytes: Uint8Array, start: number, longest: number): number {
  const last = Math.min(bytes.length - 1, start + longest)
  for (let at = start; at <= last; at += 1) {
    const byte = bytes[at]
    if (byte === quote) return at + 1
    if (byte === backslash) at += 1
  }
  if (bytes.length - start > longest) throw new SyntaxError(`a string longer than ${longest} bytes`)
  throw new SyntaxError('a string without an end')
}

function endOfDigits(bytes: Uint8Array, start: number): number {
  let at = start
  while (at < bytes.length && isDigit(bytes[at])) at += 1
  if (at - start > longestNumber) throw new SyntaxError(`a number longer than ${longestNumber} digits`)
  return at
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new SyntaxError('not UTF-8', { cause })
  }
}

function withoutPrototype(_key: string, value: unknown): unknown {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) Object.setPrototypeOf(value, null)
  return value
}
