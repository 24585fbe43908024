import { code } from './uint64.ts'
import { scanVersionPattern, skipSpace, type Span } from './version-pattern.ts'

/** A range in which no hyphen range is left, and where each of its characters came from. */
export interface Rewritten {
  readonly text: string
  /** Offsets in the range as it was written, one for each character and one for the end. */
  readonly origins: readonly number[]
}

interface HyphenRange extends Span {
  readonly low: Span
  readonly high: Span
}

/**
 * `1.2 - 1.4` becomes `>= 1.2, <= 1.4 `. As Masterminds does it (`rewriteRange`), before the split on `||` and by replacing text, so that
 * what it makes of odd ranges is made here too.
 */
export function rewriteHyphenRanges(range: string): Rewritten {
  let rewritten: Rewritten = { text: range, origins: Array.from({ length: range.length + 1 }, (_, index) => index) }
  for (const found of findHyphenRanges(range)) rewritten = rewrite(rewritten, range, found)
  return rewritten
}

/** Leftmost first, none within another. */
function findHyphenRanges(range: string): HyphenRange[] {
  const found: HyphenRange[] = []
  for (let at = range.includes('-') ? 0 : range.length; at < range.length;) {
    const match = hyphenRangeAt(range, at)
    if (match) found.push(match)
    at = match?.end ?? at + 1
  }
  return found
}

function hyphenRangeAt(range: string, start: number): HyphenRange | undefined {
  const low = scanVersionPattern(range, skipSpace(range, start))
  if (low === undefined) return undefined
  const hyphen = skipSpace(range, low.end)
  if (hyphen === low.end || range.charCodeAt(hyphen) !== code.hyphen) return undefined
  const next = skipSpace(range, hyphen + 1)
  const high = next === hyphen + 1 ? undefined : scanVersionPattern(range, next)
  return high && { start, end: skipSpace(range, high.end), low, high }
}

/** Replaces the first place where the text of the hyphen range stands, which need not be its own: Masterminds does so. */
function rewrite(rewritten: Rewritten, range: string, { start, end, low, high }: HyphenRange): Rewritten {
  const { text, origins } = rewritten
  const at = text.indexOf(range.slice(start, end))
  if (at === -1) return rewritten
  const originsOf = (span: Span) => origins.slice(at + span.start - start, at + span.end - start)
  const repeated = (length: number, span: Span) => Array.from({ length }, () => origins[at + span.start - start] ?? 0)
  return {
    text: `${text.slice(0, at)}>= ${range.slice(low.start, low.end)}, <= ${range.slice(high.start, high.end)} ${text.slice(at + end - start)}`,
    origins: [
      ...origins.slice(0, at),
      ...repeated(3, low),
      ...originsOf(low),
      ...repeated(5, high),
      ...originsOf(high),
      ...repeated(1, high),
      ...origins.slice(at + end - start),
    ],
  }
}
