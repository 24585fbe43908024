/**
 * Finds the entries of an index.yaml by its lines, and of each entry the few fields that are asked for. A YAML parser takes 400 ms and
 * 100 MB for each MB of an index, and the largest have 60: arranged as every tool arranges them, nearly all of their lines are nothing to us.
 */

/** One entry, as a small YAML map. */
export interface EntryText {
  /** The name that it stands under. */
  chart: string
  text: string
}

/** `undefined` where the lines are arranged in another way: then only a parser can tell. */
export function splitIndex(text: string, fields: ReadonlySet<string>): EntryText[] | undefined {
  const sections = split(text.replaceAll('\r\n', '\n'), /^(?=[^\s#-])/gm)
  const entries = sections?.filter((section) => section.startsWith('entries:'))
  const [section = '', ...more] = entries ?? []
  const [head, body] = cutLine(section)
  if (more.length > 0 || !/^entries:\s*(?:#.*)?$/.test(head)) return undefined
  const column = columnOf(body)
  return flattened(split(body, startingAt(column, '[^\\s#-]')), (chart) => entriesOf(chart.slice(column), fields))
}

function entriesOf(text: string, fields: ReadonlySet<string>): EntryText[] | undefined {
  const [head, body] = cutLine(text)
  const [, , chart = '', empty] = /^(["']?)([A-Za-z0-9][\w.+-]*)\1:\s*(\[\])?\s*(?:#.*)?$/.exec(head) ?? []
  if (chart === '') return undefined
  if (empty !== undefined) return isBlank(body) ? [] : undefined
  const column = columnOf(body)
  return flattened(split(body, startingAt(column, '-(?: |$)')), (item) => {
    const map = `${' '.repeat(column + 1)}${item.slice(column + 1)}`
    const kept = flattened(split(map, startingAt(columnOf(map), '[^\\s#-]')), (field) => wanted(field, fields))
    return kept && [{ chart, text: kept.join('') }]
  })
}

/** The field's own lines, or none. */
function wanted(field: string, fields: ReadonlySet<string>): string[] | undefined {
  const [, , name] = /^ *(["']?)([\w.-]+)\1:(?:\s|$)/.exec(field) ?? []
  if (name === undefined) return undefined
  return fields.has(name) ? [field] : []
}

/** Cuts before each match. `undefined` where something stands before the first one. */
function split(text: string, before: RegExp): string[] | undefined {
  const starts = Array.from(text.matchAll(before), ({ index }) => index)
  if (!isBlank(text.slice(0, starts[0] ?? text.length))) return undefined
  return starts.map((start, at) => text.slice(start, starts[at + 1] ?? text.length))
}

function startingAt(column: number, pattern: string): RegExp {
  return new RegExp(`^(?= {${column}}${pattern})`, 'gm')
}

/** `undefined` as soon as one of them is. */
function flattened<T>(parts: string[] | undefined, read: (part: string) => T[] | undefined): T[] | undefined {
  const all: T[] = []
  for (const part of parts ?? []) {
    const found = read(part)
    if (found === undefined) return undefined
    for (const one of found) all.push(one)
  }
  return parts && all
}

function cutLine(text: string): [head: string, rest: string] {
  const end = text.indexOf('\n')
  return end < 0 ? [text, ''] : [text.slice(0, end), text.slice(end + 1)]
}

/** Of the first line that says something; 0 where there is none. */
function columnOf(text: string): number {
  return /^( *)[^\s#]/m.exec(text)?.[1]?.length ?? 0
}

/** But for comments, and the marks and directives before a document. */
function isBlank(text: string): boolean {
  return !/^(?! *(?:#.*)?$|---\s*(?:#.*)?$)/m.test(text)
}
