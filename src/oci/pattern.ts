/** Patterns over repository names: `*` is one component, `**` one or more; every other component stands for itself. */
import { parseHost } from './host.ts'
import { parseName } from './name.ts'

/** A checked pattern; only {@link parsePattern} makes one. */
export type Pattern = string & { readonly __pattern: unique symbol }

/** Two `**` are enough for every use, and keep matching cheap. */
const mostDeepStars = 2

export function parsePattern(text: string): Pattern | undefined {
  return isPattern(text) ? text : undefined
}

/** A pattern over `<origin>/<name>`: its first component may be a host too, with its port. */
export function parseOriginPattern(text: string): Pattern | undefined {
  return isOriginPattern(text) ? text : undefined
}

export function matches(pattern: Pattern, name: string): boolean {
  return matchesFrom(pattern.split('/'), name.split('/'))
}

/** Whether a pattern matches some name that starts with this component. */
export function coversFirst(pattern: Pattern, component: string): boolean {
  const [first = ''] = pattern.split('/')
  return isStar(first) || first === component
}

/** Whether some name matches both; what follows an origin is a pattern too. */
export function overlap(one: string, other: string): boolean {
  return overlapFrom(one.split('/'), other.split('/'))
}

/** Both spend one component; behind `**` a pattern may stay where it is, but never both, which would spend it for nothing. */
function overlapFrom(one: string[], other: string[]): boolean {
  const [first, ...rest] = one
  const [second, ...others] = other
  if (first === undefined || second === undefined) return first === second
  if (!isStar(first) && !isStar(second) && first !== second) return false
  if (overlapFrom(rest, others)) return true
  return (first === '**' && overlapFrom(one, others)) || (second === '**' && overlapFrom(rest, other))
}

function matchesFrom(pattern: string[], name: string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return name.length === 0
  if (first === '**') return name.some((_, index) => matchesFrom(rest, name.slice(index + 1)))
  const [component, ...others] = name
  return component !== undefined && (first === '*' || first === component) && matchesFrom(rest, others)
}

function isStar(component: string): boolean {
  return component === '*' || component === '**'
}

function isPattern(text: string): text is Pattern {
  const components = text.split('/')
  const deepStars = components.filter((component) => component === '**').length
  const stand = components.map((component) => (isStar(component) ? 'x' : component)).join('/')
  return deepStars <= mostDeepStars && parseName(stand) !== undefined
}

function isOriginPattern(text: string): text is Pattern {
  const [first = '', ...rest] = text.split('/')
  const isHost = parseHost(first) === first
  return isPattern([isHost ? 'x' : first, ...rest].join('/')) && (rest.length > 0 || first === '**')
}
