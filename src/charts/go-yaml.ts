/** YAML as Helm reads it, by the rules of go-yaml 2: `yes` is true, `1.10` a number, `017` fifteen, and of equal keys the last counts. */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseAllDocuments, type Scalar } from 'yaml'

/** Whole numbers are bigints, since Helm writes `1` and `1.0` differently where text is expected. */
export type YamlValue = string | bigint | number | boolean | null | YamlValue[] | Map<string, YamlValue>

/** What is wrong with a chart or its index: the end of a sentence. */
export class ChartError extends Error {}

export interface YamlLimits {
  /** Those that an alias repeats counted each time. */
  nodes: number
  depth: number
}

/** The parser looks for each through the whole document. */
const mostAliases = 100

const small: YamlLimits = { nodes: 20_000, depth: 64 }

/** The first document of a text. @throws ChartError */
export function readYaml(text: string, limits: YamlLimits = small): YamlValue {
  if (forbidden.test(text)) throw new ChartError('it has control characters, which YAML forbids')
  const document = firstDocument(text)
  const [error] = document?.errors ?? []
  if (error) throw new ChartError(`it is no YAML: ${error.message}`)
  const budget = { left: limits.nodes, depth: limits.depth, aliases: mostAliases }
  return document?.contents ? valueOf(document.contents, document, budget) : null
}

/** Of go-yaml's scanner (yaml_parser_update_buffer). */
// oxlint-disable-next-line no-control-regex -- it is what the pattern is for
const forbidden = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]/

function firstDocument(text: string): Document.Parsed | undefined {
  try {
    // Scalars stay as they are written: go-yaml's own rules make something of them, below.
    const options = {
      schema: 'failsafe',
      merge: false,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'error',
    } as const
    const documents = parseAllDocuments(text, options)
    return Array.isArray(documents) ? documents[0] : undefined
  } catch (cause) {
    // The parser goes down one call a level.
    if (cause instanceof RangeError) throw new ChartError('it is nested too deeply', { cause })
    throw cause
  }
}

interface Budget {
  left: number
  depth: number
  aliases: number
}

function valueOf(node: Node | null, document: Document, budget: Budget): YamlValue {
  budget.left -= 1
  if (budget.left < 0 || budget.depth === 0) throw new ChartError('it is larger than an index or a Chart.yaml can be')
  if (node === null) return null
  if (isAlias(node)) budget.aliases -= 1
  if (budget.aliases < 0) throw new ChartError('it has more aliases than an index or a Chart.yaml can need')
  if (isAlias(node)) return valueOf(aimOf(node.resolve(document), node.source), document, budget)
  if (isScalar(node)) return scalarOf(node)
  const deeper = { ...budget, depth: budget.depth - 1 }
  try {
    if (isSeq<Node>(node)) return node.items.map((item) => valueOf(item, document, deeper))
    if (isMap<Node, Node | null>(node)) return mapOf(node.items, document, deeper)
    throw new ChartError('it has a node of an unknown kind')
  } finally {
    budget.left = deeper.left
    budget.aliases = deeper.aliases
  }
}

function mapOf(
  pairs: Iterable<{ key: Node; value: Node | null }>,
  document: Document,
  budget: Budget,
): Map<string, YamlValue> {
  const map = new Map<string, YamlValue>()
  for (const { key, value } of pairs) map.set(keyOf(valueOf(key, document, budget)), valueOf(value, document, budget))
  return map
}

function aimOf(node: Node | undefined, name: string): Node {
  if (node) return node
  throw new ChartError(`it repeats *${name}, which it does not have`)
}

/** As sigs.k8s.io/yaml spells keys. */
function keyOf(key: YamlValue): string {
  if (key === '<<') throw new ChartError('it merges maps (<<), which is not read here')
  if (key === null || typeof key === 'object') throw new ChartError('it has a key that is no text')
  return textOf(key)
}

/** Numbers and truth values as sigs.k8s.io/yaml writes them where text is expected. */
export function textOf(value: string | bigint | number | boolean): string {
  return typeof value === 'number' ? singlePrecision(value) : String(value)
}

/** Go's `strconv.FormatFloat(value, 'g', -1, 32)`: the fewest digits that single precision can tell apart. */
function singlePrecision(value: number): string {
  const single = Math.fround(value)
  if (Number.isNaN(single)) return 'NaN'
  if (!Number.isFinite(single)) return single > 0 ? '+Inf' : '-Inf'
  const digits =
    [1, 2, 3, 4, 5, 6, 7, 8].find((count) => Math.fround(Number(single.toPrecision(count))) === single) ?? 9
  const [mantissa = '', power = ''] = single.toExponential(digits - 1).split('e')
  const exponent = Number(power)
  if (exponent >= -4 && exponent < 6)
    return Number(single.toPrecision(digits)).toFixed(Math.max(digits - 1 - exponent, 0))
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

const tags = new Map([
  ['!!str', 'text'],
  ['tag:yaml.org,2002:str', 'text'],
  ['!', 'text'],
])

function scalarOf(node: Scalar): YamlValue {
  const text = typeof node.source === 'string' ? node.source : String(node.value)
  if (!text.isWellFormed()) throw new ChartError('it has half of a surrogate pair')
  if (node.tag !== undefined && !tags.has(node.tag))
    throw new ChartError(`it has the tag ${node.tag}, which is not read here`)
  return node.type === 'PLAIN' && node.tag === undefined ? plain(text) : text
}

const words = new Map<string, YamlValue>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['.nan', '.NaN', '.NAN'].map((word) => [word, Number.NaN] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((word) => [word, Number.POSITIVE_INFINITY] as const),
  ...['-.inf', '-.Inf', '-.INF'].map((word) => [word, Number.NEGATIVE_INFINITY] as const),
])

/** go-yaml's `resolve`; what it takes for a time, sigs.k8s.io/yaml gets as text. */
function plain(text: string): YamlValue {
  const word = words.get(text)
  if (word !== undefined) return word
  if (!/^[-+.\d]/.test(text)) return text
  if (text.startsWith('.')) return floatOf(text) ?? text
  const digits = text.replaceAll('_', '')
  return wholeOf(digits) ?? floatOf(digits) ?? text
}

/** Go's `ParseInt(text, 0, 64)`, then `ParseUint`: a leading zero means octal. */
function wholeOf(text: string): bigint | undefined {
  const [, sign = '', body = ''] = /^([-+]?)(0[xX][\da-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)$/.exec(text) ?? []
  if (body === '' || body.length > 70) return undefined
  const size = BigInt(body.replace(/^0[oO]?(?=[0-7])/, '0o'))
  const value = sign === '-' ? -size : size
  return value >= -(2n ** 63n) && value < 2n ** (sign === '' ? 64n : 63n) ? value : undefined
}

function floatOf(text: string): number | undefined {
  if (!/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}
