/** The keys of a JSON Schema as people write them: `upstreams.<host>.credentials[].prefix`. */
import type { JsonSchema } from '../../src/config/schema.ts'

export interface SchemaKey {
  key: string
  type: string
  sentence: string
  /** As YAML would show it on one line; `undefined` where there is none. */
  default: string | undefined
}

export function keysOf(schema: JsonSchema, prefix = ''): SchemaKey[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    if (!isSchema(inner)) return []
    const key = `${prefix}${name}`
    const { title: type = '', description: sentence = '' } = inner
    const shown = inner.default === undefined ? undefined : yamlLine(inner.default)
    return [{ key, type, sentence, default: shown }, ...within(inner, key)]
  })
}

function within(schema: JsonSchema, key: string): SchemaKey[] {
  if (isSchema(schema.items)) return keysOf(schema.items, `${key}[].`)
  if (isSchema(schema.additionalProperties)) return keysOf(schema.additionalProperties, `${key}.<host>.`)
  return keysOf(schema, `${key}.`)
}

function isSchema(inner: unknown): inner is JsonSchema {
  return typeof inner === 'object' && inner !== null && !Array.isArray(inner)
}

function yamlLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(yamlLine).join(', ')}]`
  return typeof value === 'string' ? value : JSON.stringify(value)
}
