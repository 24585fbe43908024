/** Fills a Go struct from YAML as sigs.k8s.io/yaml does, and writes it as encoding/json does: the shape is data. */
import { type GoValue, sortedMap } from './go-json.ts'
import { ChartError, textOf, type YamlValue } from './go-yaml.ts'

type Kind = 'text' | 'texts' | 'flag' | 'textMap' | 'anything' | { listOf: Shape }

/** Fields in the order of the struct. */
export interface Shape {
  [field: string]: { kind: Kind; always?: true }
}

/** By field; what is absent is Go's zero value. */
export type Structure = Map<string, GoValue>

/**
 * @param into what an earlier document has filled in already
 * @throws ChartError where Go's decoder fails
 */
export function fill(shape: Shape, value: YamlValue, into: Structure = new Map()): Structure {
  if (value === null) return into
  if (!(value instanceof Map)) throw new ChartError('it is no map')
  // Go decodes keys in their sorted order, so that the last spelling of a field wins.
  for (const [key, item] of sortedMap(value)) {
    const field = fieldOf(shape, key)
    const kind = field === undefined ? undefined : shape[field]?.kind
    if (field === undefined || kind === undefined) continue
    const filled = item === null ? nothing(kind, into.get(field)) : valueOf(kind, item, field, into.get(field))
    if (filled === undefined) into.delete(field)
    else into.set(field, filled)
  }
  return into
}

/** In the order of the shape, without what is empty. */
export function membersOf(shape: Shape, structure: Structure): Map<string, GoValue> {
  const members = Object.entries(shape).flatMap(([field, { kind, always }]) => {
    const value = structure.get(field) ?? ''
    return isEmpty(value) && !always ? [] : [[field, memberOf(kind, value)] as const]
  })
  return new Map(members)
}

/** A JSON null leaves a text or a truth value as it was, and empties a list or a map. */
function nothing(kind: Kind, before: GoValue | undefined): GoValue | undefined {
  return kind === 'text' || kind === 'flag' ? before : undefined
}

function fieldOf(shape: Shape, key: string): string | undefined {
  if (Object.hasOwn(shape, key)) return key
  return Object.keys(shape).find((field) => field.toLowerCase() === key.toLowerCase())
}

function valueOf(kind: Kind, value: YamlValue, field: string, before: GoValue | undefined): GoValue {
  if (kind === 'text') return text(value, field)
  if (kind === 'flag') return typeof value === 'boolean' ? value : refuse(field, 'neither true nor false')
  if (kind === 'textMap') return textMap(value, field, before)
  if (!Array.isArray(value)) return refuse(field, 'no list')
  if (kind === 'texts') return value.map((item) => (item === null ? '' : text(item, field)))
  if (kind === 'anything') return value.map(plain)
  const old = Array.isArray(before) ? before : []
  return value.map((item, index) => {
    if (item === null) return refuse(field, 'a list with an empty entry')
    const known = old[index]
    // Go's decoder goes on in the elements that a list has already.
    return fill(kind.listOf, item, known !== undefined && isStructure(known) ? known : new Map())
  })
}

export function isStructure(value: GoValue): value is Structure {
  return value instanceof Map
}

function text(value: YamlValue, field: string): string {
  if (value === null || typeof value === 'object') return refuse(field, 'no text')
  return textOf(value)
}

function textMap(value: YamlValue, field: string, before: GoValue | undefined): Map<string, string> {
  if (!(value instanceof Map)) return refuse(field, 'no map')
  const old =
    before instanceof Map
      ? [...before].flatMap(([key, item]) => (typeof item === 'string' ? [[key, item] as const] : []))
      : []
  const items = [...value].map(([key, item]) => [key, item === null ? '' : text(item, field)] as const)
  return sortedMap([...old, ...items])
}

function plain(value: YamlValue): GoValue {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new ChartError('it has a number that JSON cannot write')
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) return sortedMap([...value].map(([key, item]) => [key, plain(item)] as const))
  return value
}

function memberOf(kind: Kind, value: GoValue): GoValue {
  if (typeof kind !== 'object' || !Array.isArray(value)) return value
  return value.filter(isStructure).map((item) => membersOf(kind.listOf, item))
}

function isEmpty(value: GoValue): boolean {
  if (Array.isArray(value)) return value.length === 0
  return value instanceof Map ? value.size === 0 : value === '' || value === false
}

function refuse(field: string, what: string): never {
  throw new ChartError(`its ${field} is ${what}`)
}
