/** How entries stand in a journal: a line each, `<crc32> <text>`; a line that does not check is no entry. */
import { createReadStream } from 'node:fs'
import { crc32 } from 'node:zlib'

export interface Line {
  start: number
  end: number
  /** `undefined` where it does not check. */
  text: string | undefined
}

/** An entry has all that one request changes: the end of a manifest and of its tags, which may be a hundred thousand. */
const longestLine = 16 * 1024 * 1024

/** From one position to before another, in bytes; both at the start of a line. */
export async function* linesOf(path: string, from: number, to: number): AsyncGenerator<Line> {
  if (from >= to) return
  let rest: Buffer = Buffer.alloc(0)
  let start = from
  const last = Number.isFinite(to) ? { end: to - 1 } : {}
  const stream = createReadStream(path, { start: from, ...last, highWaterMark: 256 * 1024 })
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let at = rest.indexOf(0x0a); at >= 0; at = rest.indexOf(0x0a)) {
      const end = start + at + 1
      yield { start, end, text: textOf(rest.subarray(0, at)) }
      rest = rest.subarray(at + 1)
      start = end
    }
    // No entry is as long: what has no line break is damage, and is passed over in parts.
    if (rest.length > longestLine) {
      yield { start, end: start + rest.length, text: undefined }
      start += rest.length
      rest = Buffer.alloc(0)
    }
  }
  if (rest.length > 0) yield { start, end: start + rest.length, text: undefined }
}

export function lineOf(text: string): string {
  return `${checksum(text)} ${text}\n`
}

function textOf(line: Buffer): string | undefined {
  if (line.length < 10) return undefined
  const text = line.toString('utf8', 9)
  return line.toString('latin1', 0, 9) === `${checksum(text)} ` ? text : undefined
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
