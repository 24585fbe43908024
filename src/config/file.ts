/** The configuration file: YAML to plain data, with the line of every key. */
import { closeSync, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml'
import { ConfigError, type KeyPath, type Place, whyUnreadable } from './problem.ts'

export interface ConfigFile {
  path: string
  /** An empty file is an empty map. */
  content: Record<string, unknown>
  stats: Stats
  /** The place of a key, or of the nearest thing around it that stands in the file. */
  locate(path: KeyPath): Place
}

const largestFile = 1024 * 1024

/** @throws ConfigError */
export function readConfigFile(path: string): ConfigFile {
  const { text, stats } = readBounded(path)
  const lines = new LineCounter()
  // Pretty errors quote the text, which may hold secrets.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, version: '1.2' })
  const placeAt = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${path}:${line}:${col}`
  }
  const problems = document.errors.map(
    ({ code, pos }) => `${placeAt(pos[0])}: ${reasons[code] ?? `is not YAML (${code})`}`,
  )
  const start = placeAt(document.contents?.range?.[0] ?? 0)
  if (problems.length === 0) problems.push(...forbidden(document, placeAt), ...namingNothing(document, placeAt))
  if (problems.length === 0 && document.contents !== null && !isMap(document.contents)) {
    problems.push(`${start}: must be a map of keys and values`)
  }
  if (problems.length > 0) throw new ConfigError(problems)
  const locate = (keys: KeyPath) => placeAt(offsetOf(document, keys))
  return { path, content: contentOf(document, start), stats, locate }
}

/** Whoever writes a star at the start of a value means a pattern, not YAML's reference to an anchor. */
const starInQuotes = "YAML reads a * at the start of a value as an alias: put it in quotes, as in '*'"

const reasons: Partial<Record<string, string>> = {
  BAD_ALIAS: starInQuotes,
  BAD_INDENT: 'is not YAML: the indentation is uneven',
  BLOCK_AS_IMPLICIT_KEY: 'is not YAML: a map inside a map needs a line of its own',
  DUPLICATE_KEY: 'the key stands here for the second time',
  MISSING_CHAR: 'is not YAML: a bracket, a quote or a comma is missing',
  MULTIPLE_DOCS: 'a second document starts here; the file must be one',
  MULTILINE_IMPLICIT_KEY: 'is not YAML: a key must stand on one line with its colon',
  NON_STRING_KEY: 'keys must be texts',
  TAB_AS_INDENT: 'is not YAML: indent with spaces, not tabs',
  UNEXPECTED_TOKEN: 'is not YAML: a character that cannot stand here',
}

function readBounded(path: string): { text: string; stats: Stats } {
  try {
    const file = openSync(path, 'r')
    try {
      const stats = fstatSync(file)
      if (!stats.isFile()) throw new ConfigError([`${path}: is no file`])
      if (stats.size > largestFile) throw new ConfigError([`${path}: is larger than 1 MiB`])
      return { text: readFileSync(file, 'utf8'), stats }
    } finally {
      closeSync(file)
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError([`${path}: ${whyUnreadable(error)}`])
  }
}

/** A key that JavaScript reads as something else. */
function forbidden(document: Document, placeAt: (offset: number) => Place): string[] {
  const found: string[] = []
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key) && key.value === '__proto__')
        found.push(`${placeAt(key.range?.[0] ?? 0)}: __proto__: unknown key`)
    },
  })
  return found
}

/** `**` is an alias too, of the anchor `*`. */
function namingNothing(document: Document, placeAt: (offset: number) => Place): string[] {
  const found: string[] = []
  const anchors = new Set<string>()
  visit(document, {
    Node(_, node) {
      if (!isAlias(node)) anchors.add(node.anchor ?? '')
      else if (!anchors.has(node.source)) found.push(`${placeAt(node.range?.[0] ?? 0)}: ${starInQuotes}`)
    },
  })
  return found
}

function contentOf(document: Document, start: Place): Record<string, unknown> {
  try {
    const content: unknown = document.toJS({ maxAliasCount: 100 })
    return typeof content === 'object' && content !== null ? { ...content } : {}
  } catch {
    throw new ConfigError([`${start}: has too many aliases`])
  }
}

function offsetOf(document: Document, path: KeyPath): number {
  let node: unknown = document.contents
  let offset = document.contents?.range?.[0] ?? 0
  for (const step of path) {
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && key.value === step) : undefined
    const next: unknown = pair ? pair.value : isSeq(node) ? node.items[Number(step)] : undefined
    const anchor: unknown = pair ? pair.key : next
    if (anchor === undefined || isPair(anchor)) break
    offset = startOf(anchor) ?? offset
    node = next
  }
  return offset
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}

function isNode(node: unknown): node is Node {
  return typeof node === 'object' && node !== null && 'range' in node
}
