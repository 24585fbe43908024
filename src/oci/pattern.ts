/** Patterns over repository names: `*` is one component, `**` one or more; every other component stands for itself. */
import { parseName } from './name.ts'

/** A checked pattern; only {@link parsePattern} makes one. */
export type Pattern = string & { readonly __pattern: unique symbol }

/** Two `**` are enough for every use, and keep matching cheap. */
const mostDeepStars = 2

export function parsePattern(text: string): Pattern | undefined {
  return isPattern(text) ? text : undefined
}

export function matches(pattern: Pattern, name: string): boolean {
  return matchesFrom(pattern.split('/'), name.split('/'))
}

/** Whether a pattern matches some name that starts with this component. */
export function coversFirst(pattern: Pattern, component: string): boolean {
  const [first = ''] = pattern.split('/')
  return isStar(first) || first === component
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
