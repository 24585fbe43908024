/** The operators of a range in words that a tag may contain. */
const operators: ReadonlyMap<string, string> = new Map([
  ['caret', '^'],
  ['tilde', '~'],
  ['ge', '>='],
  ['gt', '>'],
  ['le', '<='],
  ['lt', '<'],
  ['ne', '!='],
  ['eq', '='],
])

/** What an x-range has, and what an operator has. */
const mayAsk = /x|[a-z]-/
const digits = /^[0-9]+$/
const suffix = /^[A-Za-z0-9.-]+$/

/**
 * The range that a tag spells, with its operators written out: `caret-22.3` is `^22.3`, `ge-1.2_lt-2` is `>=1.2 <2`, `1.x__2.x` is
 * `1.x || 2.x`, and `22.x-alpine` is itself.
 *
 * `range = group ("__" group)*`, `group = term ("_" term)*`, `term = [(caret|tilde|ge|gt|le|lt|ne|eq) "-"] ["v"] partial ["-" suffix]`,
 * `partial` = one to four parts, each digits or `x`, the first digits. It is a range when the whole parses and has an operator or an `x`.
 * @param partials whether `1.2` or `v1`, alone, is a range too
 */
export function rangeOfTag(reference: string, partials: boolean): string | undefined {
  // Nearly all tags are none, and every request by tag comes by here.
  if (!partials && !mayAsk.test(reference)) return undefined
  const groups = reference.split('__').map((group) => group.split('_').map(readTerm))
  let asks = false
  for (const term of groups.flat()) {
    if (term === undefined) return undefined
    asks ||= term.asks
  }
  if (!asks && !(partials && isBare(reference))) return undefined
  return groups.map((group) => group.map((term) => term?.text).join(' ')).join(' || ')
}

/** `asks` says whether it has an operator or an `x`, and so cannot be meant as a plain tag. */
function readTerm(term: string): { text: string; asks: boolean } | undefined {
  const hyphen = term.indexOf('-')
  const operator = hyphen === -1 ? undefined : operators.get(term.slice(0, hyphen))
  const version = operator === undefined ? term : term.slice(hyphen + 1)
  const end = version.indexOf('-')
  const partial = end === -1 ? version : version.slice(0, end)
  if (!isPartial(partial) || (end !== -1 && !suffix.test(version.slice(end + 1)))) return undefined
  return { text: `${operator ?? ''}${version}`, asks: operator !== undefined || partial.includes('x') }
}

function isPartial(text: string): boolean {
  const parts = (text.startsWith('v') ? text.slice(1) : text).split('.')
  return parts.length <= 4 && parts.every((part, index) => digits.test(part) || (part === 'x' && index > 0))
}

const isBare = (reference: string): boolean => !reference.includes('_') && !reference.includes('-')
