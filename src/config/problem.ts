/** What is wrong with a configuration, and how it is said: file, line, key, reason, and the nearest thing that would be right. */

export type KeyPath = readonly (string | number)[]

export interface Problem {
  path: KeyPath
  /** What is wrong and what to do, without the key; never a secret. */
  reason: string
}

/** Collects problems instead of stopping at the first, so that one start shows them all. */
export type Report = (path: KeyPath, reason: string) => void

/** Where a value came from: `file:line:column`, a variable or a flag. */
export type Place = string

/** The start stops here. Its message has one line a problem; `problems` has the same lines. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

export function problemLine(place: Place | undefined, { path, reason }: Problem): string {
  const key = showPath(path)
  return [place, key, reason].filter(Boolean).join(': ')
}

/** `upstreams."ghcr.io".credentials[0].prefix`: quoted where a key has a dot or a colon of its own. */
export function showPath(path: KeyPath): string {
  return path.map(showStep).join('').replace(/^\./, '')
}

function showStep(step: string | number): string {
  if (typeof step === 'number') return `[${step}]`
  const shown = step.length > 64 ? `${step.slice(0, 64)}…` : step
  return /^[\w-]+$/.test(shown) ? `.${shown}` : `.${JSON.stringify(shown)}`
}

/**
 * What to add to "unknown": the known word that was most likely meant, or else the one that is least far.
 * @param before what stands before every known word where it is written
 */
export function hint(word: string, known: readonly string[], before = ''): string {
  const best = nearest(word, known)
  if (best === undefined) return ''
  const shown = before + best.candidate
  return best.isNear ? `; did you mean ${shown}?` : `; the nearest known is ${shown}`
}

/** What to add where all words that are known stand in the sentence already. */
export function guess(word: string, known: readonly string[]): string {
  const best = nearest(word, known)
  return best?.isNear === true ? `; did you mean ${best.candidate}?` : ''
}

function nearest(word: string, known: readonly string[]): { candidate: string; isNear: boolean } | undefined {
  const wanted = word.slice(0, 64).toLowerCase()
  const byDistance = known.map((candidate) => ({ candidate, edits: distance(wanted, candidate.toLowerCase()) }))
  const [best] = byDistance.toSorted((one, other) => one.edits - other.edits)
  if (best === undefined) return undefined
  const isNear = best.edits <= Math.max(2, Math.floor(wanted.length / 3))
  return { candidate: best.candidate, isNear }
}

/** Levenshtein: insertions, deletions and replacements of one character. */
function distance(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [row, letter] of one.split('').entries()) {
    const current = [row + 1]
    for (const [column, against] of other.split('').entries()) {
      const replaced = (above[column] ?? 0) + (letter === against ? 0 : 1)
      current.push(Math.min(replaced, (above[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    above = current
  }
  return above[other.length] ?? one.length
}

/** Of an error of the system about a file, in words; it ends a sentence. */
export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  if (code === 'ENOENT') return 'is not there'
  return code === 'EACCES' ? 'may not be read by this user' : `cannot be read (${code})`
}

/** What cannot be read is reported, so that one start shows all that is wrong. */
export function attempt<T>(read: () => T, path: KeyPath, report: Report): T | undefined {
  try {
    return read()
  } catch (error) {
    const isSystem = error instanceof Error && 'code' in error
    const reason = error instanceof Error ? error.message : String(error)
    const file = isSystem && 'path' in error ? `names ${String(error.path)}, which ` : ''
    report(path, isSystem ? file + whyUnreadable(error) : reason)
    return undefined
  }
}
