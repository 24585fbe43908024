import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../src/config/load.ts'
import { presets } from '../src/config/presets.ts'
import { scalarKeys, settingsJsonSchema, settingsSchema } from '../src/config/schema.ts'
import { variableOf } from '../src/config/settings.ts'
import { errorCodes } from '../src/oci/errors.ts'
import { keysOf } from './support/schema-keys.ts'

const root = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')

describe('docs/configuration.md', () => {
  const text = read('docs/configuration.md')
  const sections = text.split(/^### /m).slice(1)
  const documented = new Map(sections.map((section) => [/^`([^`]+)`/.exec(section)?.[1] ?? section, section]))
  const keys = keysOf(settingsJsonSchema())

  test('has a section for every key, in the order of the schema, and for no other', () => {
    expect([...documented.keys()]).toEqual(keys.map(({ key }) => key))
  })

  test.each(keys)('$key: type, default and sentence are those of the schema', ({ key, type, sentence, ...rest }) => {
    const section = documented.get(key) ?? ''
    const facts = /^_(.+?)_, (?:default `(.+?)`|no default)/m.exec(section)
    expect(type).not.toBe('')
    expect(facts?.[1]).toBe(type)
    expect(facts?.[2]).toBe(rest.default)
    expect(sentence).toMatch(/\.$/)
    expect(section.replace(/\s+/g, ' ')).toContain(sentence)
  })

  test.each(keys)('$key: has an example that the schema takes', ({ key }) => {
    const examples = [...(documented.get(key) ?? '').matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml)
    const last = key.split('.').at(-1)?.replace('[]', '') ?? ''
    expect(examples.filter((yaml) => yaml.includes(`${last}:`))).not.toEqual([])
    for (const yaml of examples) expect(settingsSchema.safeParse(parse(yaml)).error).toBeUndefined()
  })

  test('names the variable of every key that has one, and of no other', () => {
    const named = [...text.matchAll(/variable `(ENTREPOT_\w+)`/g)].map(([, name]) => name)
    expect(named).toEqual(
      keys.filter(({ key }) => scalarKeys.some((one) => one === key)).map(({ key }) => variableOf(key)),
    )
  })

  test('has the presets as they are', () => {
    for (const [host, { url, tokenRealms, otherNames }] of Object.entries(presets)) {
      const cells = [host, url, tokenRealms.join(', '), otherNames.join(', ')]
      const row = new RegExp(`^\\| ${cells.map((cell) => RegExp.escape(cell)).join(' *\\| ')} *\\|$`, 'm')
      expect(text).toMatch(row)
    }
  })
})

describe('docs/errors.md', () => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` *\| *(\d{3}) *\| (.+?) *\| (.+?) *\|$/gm)]

  test('has every code with its status, and no other', () => {
    const documented = Object.fromEntries(rows.map(([, code, status]) => [code, Number(status)]))
    expect(documented).toEqual(errorCodes)
    expect(rows).toHaveLength(Object.keys(errorCodes).length)
  })

  test('says of each when it comes and what to do', () => {
    for (const [, code, , when = '', remedy = ''] of rows) {
      expect([code, when.length > 10, remedy.length > 5]).toEqual([code, true, true])
    }
  })
})

describe('config/', () => {
  const home = '/home/somebody'

  test('the example changes nothing', () => {
    const config = join(root, 'config/entrepot.yaml')
    expect(loadConfig({ flags: { config }, env: {}, home })).toEqual(loadConfig({ flags: {}, env: {}, home }))
  })

  test('the example says every key at the top', () => {
    const example = read('config/entrepot.yaml')
    const missing = Object.keys(settingsSchema.shape).filter((key) => !new RegExp(`^(# )?${key}:`, 'm').test(example))
    expect(missing).toEqual([])
  })

  test('the lines of the example that are comments would be taken too', () => {
    const uncommented = read('config/entrepot.yaml')
      .replace('upstreams: {}', 'upstreams:')
      .replace(/^#( {2,}\S)/gm, '$1')
    const { data } = settingsSchema.safeParse(parse(uncommented))
    expect(Object.keys(data?.upstreams ?? {})).toEqual(['docker.io', 'ghcr.io', 'registry.example.com:5000'])
  })

  test('the JSON Schema is the one of the code: node config/write-schema.ts writes it', () => {
    expect(JSON.parse(read('config/entrepot.schema.json'))).toEqual(settingsJsonSchema())
  })
})
