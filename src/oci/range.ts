/** Byte ranges of RFC 9110 section 14, as far as blobs need them: one range; several are answered with the whole body. */

/** What a client asked for, before the size is known. `to` is inclusive; `last` counts bytes from the end. */
export type ByteRange = { from: number; to?: number } | { last: number }

/** A range inside a body of known size; `end` is exclusive. */
export interface Span {
  start: number
  end: number
}

/** Of any length: a position too large for a number becomes Infinity, which lies beyond every blob and is clamped like any other. */
const oneSpec = /^(\d*)-(\d*)$/

/**
 * `whole`: no Range header, a unit other than bytes, or several ranges (podman takes a 200 for those, but not a single 206).
 * `invalid`: says bytes and is none (416).
 */
export function parseRange(header: string | undefined): ByteRange | 'whole' | 'invalid' {
  const [unit, list] = splitUnit(header ?? '')
  if (unit !== 'bytes' || list === undefined) return 'whole'
  const ranges = list.split(',').map((part) => parseSpec(part.trim()))
  if (ranges.includes(undefined)) return 'invalid'
  return ranges.length === 1 && ranges[0] ? ranges[0] : 'whole'
}

/** `undefined` = not satisfiable (416). An overlong end is clamped. */
export function spanOf(range: ByteRange, size: number): Span | undefined {
  if ('last' in range) {
    return range.last === 0 || size === 0 ? undefined : { start: Math.max(0, size - range.last), end: size }
  }
  if (range.from >= size) return undefined
  const end = range.to === undefined ? size : Math.min(range.to + 1, size)
  return end > range.from ? { start: range.from, end } : undefined
}

function splitUnit(header: string): [string, string | undefined] {
  const equals = header.indexOf('=')
  if (equals < 0) return [header.trim().toLowerCase(), undefined]
  return [header.slice(0, equals).trim().toLowerCase(), header.slice(equals + 1)]
}

function parseSpec(spec: string): ByteRange | undefined {
  const match = oneSpec.exec(spec)
  if (!match) return undefined
  const [, first = '', second = ''] = match
  if (first === '') return second === '' ? undefined : { last: Number(second) }
  return second === '' ? { from: Number(first) } : { from: Number(first), to: Number(second) }
}
