/** Random ranges over random tag lists, from a seed: shapes that clients accept, shapes that they nearly accept, and what breaks parsers. */
import type { Question } from './oracle.ts'

/** What a generator draws from; the same seed gives the same cases. */
export interface Dice {
  /** From 0 to below `count`. */
  below(count: number): number
  chance(probability: number): boolean
  /** `chance` for what the grammar does not know; never for a friendly question. */
  odd(probability: number): boolean
  of<Item>(items: readonly [Item, ...Item[]]): Item
}

/** Up to this many versions Go sorts as they stand, so that ties are decided (pdqsort's insertion sort, `maxInsertion` in Go's sort package). */
export const stableUpTo = 12

const operators = ['', '=', '!=', '>', '<', '>=', '=>', '<=', '=<', '~', '~>', '^'] as const
const wrongOperators = ['==', '!', '~=', '>>', '^^', '<>', '|', '~~', '^~', '=!', '- ', '"'] as const
const spaces = ['', '', '', ' ', '  ', '\t', '\n', '\f', '\r'] as const
const separators = [' ', ' ', ', ', ',', ' , ', ',  ', '  ', ' \t', '\n', '', ' ,, ', ';', ' - ', ' && '] as const
const alternatives = ['||', ' || ', ' || ', '|| ', ' ||', '  ||  ', '|', ' | ', '|||', '||||', ' || || '] as const
const wildcards = ['x', 'X', '*'] as const
const oddParts = ['xx', '1x', 'x1', '**', '|', '1|2', 'x|', '', '-1', 'a', '1*', '.'] as const
const hugeParts = [
  '4294967296',
  '9007199254740991',
  '9007199254740993',
  '20240115123456',
  '18446744073709551615',
  '18446744073709551616',
  '00018446744073709551615',
  '99999999999999999999999',
] as const
const prereleases = [
  '0',
  '1',
  '2',
  '10',
  'alpha',
  'alpha.1',
  'alpha.2',
  'alpha.10',
  'alpha.beta',
  'beta',
  'BETA',
  'rc',
  'rc.1',
  'rc.2',
  'rc1',
  '0a',
  '-',
  '--',
  'x',
  'a-b',
  '1.2.3',
  '-1',
  '9007199254740993',
  '18446744073709551615',
  '18446744073709551616',
  '99999999999999999999',
  '100000000000000000000',
] as const
const oddPrereleases = [
  '01',
  'alpha.01',
  '00',
  'a..b',
  '.a',
  'a.',
  '',
  'a_b',
  'é',
  'a|b',
  '*',
  'alpha.*',
  '001.a',
] as const
const builds = ['1', '2', 'a', 'b', 'build.1', '001', '-', '1.2.3', 'a-b'] as const
const oddBuilds = ['', 'a..b', 'a.', 'a+b', '.', 'a_b'] as const
const oddHyphens = [' -', '- ', '-', ' -- ', ' - - ', '\u00a0- ', ' -\v'] as const
const junk = [
  'latest',
  'main',
  'stable',
  'x',
  'v',
  '-',
  '~',
  '^',
  '>=',
  '<',
  '=',
  '|',
  '||',
  '*',
  '* *',
  '.',
  '1.',
  '.1',
  ' ',
  '\t',
  '\u00a0',
  'V1.x',
  '1.2.3.4',
] as const
/** What a mutation puts in: all that the grammar knows, and the white space that JavaScript takes and Go does not. */
const alphabet = '0123459.....---++||||xX**vV~^<>=!,  \t\n\r\f\v\u00a0\ufeff\u2003\u0085\u2028\u0000_aZ/:@%١é😀'
const oddTags = [
  'latest',
  'main',
  '1',
  '1.2',
  'v1',
  'v1.2',
  'V1.2.3',
  '1.2.3.4',
  '1.2.3-01',
  '1.2.3-',
  '1.2.3_',
  '1.2.3-a..b',
  '1.2.3_a..b',
  '01.2.3',
  'v01.02.03',
  '3-alpine3.19.1',
  '1-a.b.c',
  '1.2-rc.1',
  '1.2.3-rc_1',
  '1.2.3_a_b',
  'sha256-44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a.sig',
  '2024.01.15',
  '20240115123456.0.0',
  '18446744073709551616.0.0',
  '1.2.x',
  '^1',
  'x',
  '1.-2.3',
  '..',
  '1..2',
  '.1.2.3',
  '-1.2.3',
  'v',
  'vv1.2.3',
  '1.2.3-x.y',
  '0.0.0',
  '0.0.0-0',
  'v1.2.3_b',
  '1.2_b',
].filter((tag) => /^\w[\w.-]{0,127}$/.test(tag)) as [string, ...string[]]

export function createDice(seed: number): Dice {
  let state = seed >>> 0
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
  const below = (count: number): number => Math.floor(next() * count)
  return {
    below,
    chance: (probability) => next() < probability,
    odd: (probability) => next() < probability,
    of: (items) => items[below(items.length)] ?? items[0],
  }
}

/** Half of them friendly: a range that can be read, near the tags. */
export function randomQuestion(dice: Dice): Question {
  const tags = randomTags(dice)
  return { range: randomRange(dice.chance(0.5) ? friendly(dice) : dice, tags), tags }
}

function friendly(dice: Dice): Dice {
  return { ...dice, odd: () => false }
}

/** Ranges whose borders are at tags of this list. */
export function randomRanges(dice: Dice, tags: readonly string[], count: number): string[] {
  return Array.from({ length: count }, () => randomRange(dice.chance(0.7) ? friendly(dice) : dice, tags))
}

/** Mostly as short as Go sorts them as they stand; a longer one has no two tags that are equal as versions. */
function randomTags(dice: Dice): string[] {
  const isLong = dice.chance(0.1)
  const count = isLong ? stableUpTo + 1 + dice.below(60) : dice.below(stableUpTo + 1)
  const tags = new Map<string, string>()
  const taint = dice.chance(0.5) ? 0 : 0.15
  for (let at = 0; at < count; at++) {
    const tag = randomTag(dice, taint)
    tags.set(isLong ? versionOf(tag) : tag, tag)
  }
  return dice.chance(0.7) ? [...tags.values()] : [...tags.values()].toSorted()
}

function randomTag(dice: Dice, taint: number): string {
  if (dice.chance(taint)) return dice.of(oddTags)
  const parts = [part(dice, 3), part(dice, 4), part(dice, 5)]
  if (dice.chance(taint / 3)) parts.length = 1 + dice.below(2)
  const pre = dice.chance(0.35) ? `-${dice.of(dice.chance(taint / 4) ? oddPrereleases : prereleases)}` : ''
  const build = dice.chance(0.2) ? `_${dice.of(dice.chance(taint / 4) ? oddBuilds : builds)}` : ''
  const prefix = dice.chance(taint) ? 'v' : ''
  const tag = `${prefix}${parts.join('.')}${pre}${build}`.replaceAll('+', '_')
  return /^\w[\w.-]{0,127}$/.test(tag) ? tag : '1.0.0'
}

/** Equal for two tags that some client takes for the same version, up to the build. */
export function versionOf(tag: string): string {
  const [core = '', ...rest] = (tag.replace(/^v/, '').split('_')[0] ?? '').split('-')
  const parts = core.split('.').map((digits) => digits.replace(/^0+(?=\d)/, ''))
  while (parts.length < 3) parts.push('0')
  return [parts.join('.'), ...rest].join('-').replace(/-$/, '')
}

function randomRange(dice: Dice, tags: readonly string[]): string {
  const range = wholeRange(dice, tags)
  return dice.odd(0.3) ? mutate(dice, range) : range
}

function wholeRange(dice: Dice, tags: readonly string[]): string {
  const kind = dice.below(100)
  if (dice.odd(0.05)) return dice.of(junk)
  if (kind < 1) return ''
  if (kind < 8) return anyTag(dice, tags).replaceAll('_', dice.of(['+', '_']))
  if (kind < 10) return version(dice, tags)
  if (dice.odd(0.03)) return overLimit(dice, tags)
  const groups = Array.from({ length: dice.of([1, 1, 1, 1, 1, 2, 2, 2, 3, 4]) }, () => group(dice, tags))
  return join(groups, () => dice.of(dice.odd(0.2) ? alternatives : [' || ', '||']))
}

/** Around the 512 bytes, 32 alternatives and 256 bytes of a version that Masterminds/semver 3.5 allows, and far over them. */
function overLimit(dice: Dice, tags: readonly string[]): string {
  const term = comparator(dice, tags)
  const kind = dice.below(3)
  if (kind === 0) return `1.2.3-${'a'.repeat(dice.of([240, 249, 250, 251, 256, 400]))}`
  if (kind === 1) return Array.from({ length: 30 + dice.below(5) }, () => dice.of(['1.x', '^1', '>2', '0'])).join('||')
  return term + ' '.repeat(Math.max(0, dice.of([500, 511, 512, 513, 600]) - term.length))
}

function group(dice: Dice, tags: readonly string[]): string {
  if (dice.chance(0.12)) return hyphenRange(dice, tags)
  const terms = Array.from({ length: dice.of([1, 1, 1, 2, 2, 2, 3, 4]) }, () =>
    dice.chance(0.04) ? hyphenRange(dice, tags) : comparator(dice, tags),
  )
  const joined = join(terms, () => dice.of(dice.odd(0.25) ? separators : [' ', ', ', ',']))
  return dice.chance(0.1) ? `${dice.of(spaces)}${joined}${dice.of(spaces)}` : joined
}

function comparator(dice: Dice, tags: readonly string[]): string {
  const operator = dice.of(dice.odd(0.04) ? wrongOperators : operators)
  return `${operator}${dice.chance(0.2) ? dice.of(spaces) : ''}${version(dice, tags)}`
}

function hyphenRange(dice: Dice, tags: readonly string[]): string {
  const hyphen = dice.of(dice.odd(0.3) ? oddHyphens : [' - ', '  -  ', '\t-\n'])
  const [low, high] = [version(dice, tags), version(dice, tags)]
  const plain = `${dice.odd(0.05) ? dice.of(operators) : ''}${low}${hyphen}${high}`
  if (!dice.chance(0.1)) return plain
  // Masterminds rewrites them by replacing text, wherever that stands first.
  return dice.of([
    `${plain},${low}${hyphen}${high}.1`,
    `${version(dice, tags)} - ${plain},${low}${hyphen}${high}`,
    `${plain}, ${plain}`,
  ])
}

/** Half of them near a tag of the list, so that the borders are hit. */
function version(dice: Dice, tags: readonly string[]): string {
  const near = dice.chance(0.5)
    ? (anyTag(dice, tags).split(/[-_]/)[0] ?? '')
        .replace(/^v/, '')
        .split('.')
        .filter((digits) => digits !== '')
        .slice(0, 3)
    : []
  while (near.length < 3) near.push(part(dice, 4))
  const parts = near.map((digits, at) => (dice.chance(at === 0 ? 0.05 : 0.12) ? dice.of(wildcards) : digits))
  if (dice.odd(0.06)) parts[dice.below(3)] = dice.of(oddParts)
  parts.length = dice.of([1, 2, 2, 3, 3, 3])
  if (dice.odd(0.02)) parts.push(part(dice, 3))
  const pre = dice.chance(0.25) ? `-${dice.of(dice.odd(0.15) ? oddPrereleases : prereleases)}` : ''
  const build = dice.chance(0.06) ? `+${dice.of(dice.odd(0.2) ? oddBuilds : builds)}` : ''
  return `${dice.chance(0.06) ? 'v' : ''}${parts.join('.')}${pre}${build}`
}

function anyTag(dice: Dice, tags: readonly string[]): string {
  return tags[dice.below(tags.length)] ?? '1.2.3'
}

function part(dice: Dice, small: number): string {
  const kind = dice.below(100)
  if (kind < 3 && dice.odd(1)) return dice.of(hugeParts)
  if (kind < 5) return `0${dice.below(small)}`
  if (kind < 12) return String(dice.below(300))
  return String(dice.below(small))
}

function mutate(dice: Dice, text: string): string {
  const characters = Array.from(text)
  for (let count = 1 + dice.below(2); count > 0; count--) {
    const at = dice.below(characters.length + 1)
    const kind = dice.below(4)
    if (kind === 0) characters.splice(at, 0, character(dice))
    else if (kind === 1) characters.splice(at, 1)
    else if (kind === 2) characters.splice(at, 1, character(dice))
    else characters.splice(at, 0, ...characters.slice(at, at + 1 + dice.below(4)))
  }
  return characters.join('')
}

function character(dice: Dice): string {
  const characters = Array.from(alphabet)
  return characters[dice.below(characters.length)] ?? '.'
}

function join(items: readonly string[], between: () => string): string {
  return items.reduce((text, item) => text + between() + item)
}
