/** The index of a classic chart repository, YAML or JSON: which archive each version of each chart is in. */
import { type Digest, parseDigest } from '../oci/digest.ts'
import { parseJson } from '../oci/json.ts'
import { ChartError, readYaml, type YamlValue } from './go-yaml.ts'
import { splitIndex } from './index-lines.ts'
import { textField } from './metadata.ts'
import { fill, type Shape } from './structure.ts'

export const largestIndex = 128 * 1024 * 1024

export interface IndexEntry {
  name: string
  version: string
  /** As they stand there, most without a host. */
  urls: string[]
  /** Of the archive. */
  digest?: Digest
  /** RFC 3339 in whole seconds. */
  created?: string
}

/** An entry that says nothing that could be imported: what is known of it, and why. */
interface UnreadEntry {
  name: string
  version: string
  problem: string
}

export interface ChartIndex {
  entries: IndexEntry[]
  unread: UnreadEntry[]
}

const text = { kind: 'text' } as const
const shape: Shape = { name: text, version: text, urls: { kind: 'texts' }, digest: text, created: text }
const fields = new Set(Object.keys(shape))

/** An index that only a parser can read: it takes 100 times its size in memory. */
const largestUnusual = 8 * 1024 * 1024
const jsonLimits = { depth: 64, elements: 20_000_000, string: 1024 * 1024 }
const yamlLimits = { nodes: 2_000_000, depth: 64 }

/** @throws ChartError where it is no index */
export function readIndex(bytes: Uint8Array): ChartIndex {
  const content = decode(bytes)
  if (/^\s*</.test(content)) throw new ChartError('it is a web page')
  const lines = /^\s*\{/.test(content) ? undefined : splitIndex(content, fields)
  const index: ChartIndex = { entries: [], unread: [] }
  if (lines) for (const { chart, text: entry } of lines) add(index, chart, () => readYaml(entry))
  else addDocument(index, readDocument(bytes, content))
  return index
}

function addDocument(index: ChartIndex, document: YamlValue): void {
  const charts = document instanceof Map ? document.get('entries') : undefined
  if (charts === undefined) throw new ChartError('it has no entries: it is no index of a chart repository')
  if (charts === null) return
  if (!(charts instanceof Map)) throw new ChartError('its entries are no map')
  for (const [chart, versions] of charts) {
    if (Array.isArray(versions)) for (const version of versions) add(index, chart, () => version)
    else if (versions !== null)
      index.unread.push({ name: chart, version: '', problem: 'what stands under its name is no list' })
  }
}

function add(index: ChartIndex, chart: string, read: () => YamlValue): void {
  let version = ''
  try {
    const entry = fill(shape, read())
    version = textField(entry, 'version')
    const urls = entry.get('urls')
    index.entries.push({
      name: textField(entry, 'name') || chart,
      version,
      urls: Array.isArray(urls) ? urls.filter((url) => typeof url === 'string') : [],
      ...digestField(textField(entry, 'digest')),
      ...createdField(textField(entry, 'created')),
    })
  } catch (error) {
    if (!(error instanceof ChartError)) throw error
    index.unread.push({ name: chart, version, problem: `its entry in the index cannot be read: ${error.message}` })
  }
}

/** SHA-256 in hex, as Helm writes it, or with its name before it, as others do. */
function digestField(written: string): { digest?: Digest } {
  if (written === '') return {}
  const digest = parseDigest(written.includes(':') ? written : `sha256:${written}`)
  if (!digest?.startsWith('sha256:'))
    throw new ChartError(`its digest is ${JSON.stringify(written.slice(0, 80))}, and not SHA-256 in hex`)
  return { digest }
}

/** Helm pushes the time of the archive's file, in whole seconds. */
function createdField(written: string): { created?: string } {
  const [, seconds, zone = ''] =
    /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.exec(written) ?? []
  const created = `${seconds}${zone}`.toUpperCase()
  return seconds !== undefined && !Number.isNaN(Date.parse(created)) ? { created } : {}
}

function readDocument(bytes: Uint8Array, content: string): YamlValue {
  if (/^\s*\{/.test(content)) {
    try {
      return fromJson(parseJson(bytes, jsonLimits))
    } catch (error) {
      // A map of YAML may begin like one of JSON.
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  if (bytes.length > largestUnusual) {
    throw new ChartError(
      `its lines are not arranged as helm repo index does, and such a one may have ${largestUnusual} bytes`,
    )
  }
  return readYaml(content, yamlLimits)
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new ChartError('it is not UTF-8', { cause })
  }
}

function fromJson(value: unknown): YamlValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value)) return value.map(fromJson)
  if (typeof value !== 'object' || value === null) return null
  return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item)]))
}
