import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { breaches, drivers, importsOf, type Sources } from './support/import-rules.ts'

const src = join(import.meta.dirname, '..', 'src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const sources: Sources = new Map(files.map((file) => [file, readFileSync(join(src, file), 'utf8')]))

describe('the sources', () => {
  test('are there to be read', () => {
    expect(sources.size).toBeGreaterThan(20)
    expect(importsOf(sources.get('repository/origins.ts') ?? '')).toContain('../oci/name.ts')
  })

  test('keep the import rules of the architecture', () => {
    expect(breaches(sources)).toEqual([])
  })

  test('have the drivers that the rules speak of', () => {
    expect(drivers.filter((driver) => !sources.has(driver))).toEqual([])
  })
})

/** A file that imports one specifier. */
function importing(file: string, specifier: string): Sources {
  return new Map([[file, `import { x } from '${specifier}'\n`]])
}

describe('the checker', () => {
  const forbidden: [file: string, specifier: string, reason: string][] = [
    ['oci/a.ts', '../observe/log.ts', 'oci may import only oci'],
    ['observe/a.ts', '../store/key-value.ts', 'observe may import only oci'],
    ['version/a.ts', '../config/load.ts', 'version may import only oci'],
    ['config/a.ts', '../store/key-value.ts', 'config may import only oci, version and observe'],
    ['charts/a.ts', '../store/key-value.ts', 'charts may import only oci, version and observe'],
    ['app.ts', './charts/a.ts', 'only commands know charts'],
    ['store/a.ts', '../config/load.ts', 'only app and commands know config'],
    ['main.ts', './config/load.ts', 'only app and commands know config'],
    ['store/a.ts', '../upstream/send.ts', 'store and upstream are of one group'],
    ['upstream/a.ts', '../store/key-value.ts', 'upstream and store are of one group'],
    ['store/a.ts', '../catalog/records.ts', 'catalog stands right of store'],
    ['catalog/a.ts', '../upstream/upstream.ts', 'catalog may not import upstream'],
    ['catalog/a.ts', '../repository/repository.ts', 'repository stands right of catalog'],
    ['repository/a.ts', '../proxied/blobs.ts', 'proxied stands right of repository'],
    ['proxied/a.ts', '../hosted/push.ts', 'proxied and hosted are of one group'],
    ['proxied/a.ts', '../upkeep/evict.ts', 'upkeep stands right of proxied'],
    ['upkeep/a.ts', '../transfer/copy.ts', 'upkeep and transfer are of one group'],
    ['registry/a.ts', '../admin/api.ts', 'registry and admin are of one group'],
    ['web/a.ts', '../app.ts', 'app stands right of web'],
    ['app.ts', './commands/serve.ts', 'commands stands right of app'],
    ['commands/a.ts', '../main.ts', 'main stands right of commands'],
    ['catalog/a.ts', '../store/level.ts', 'a driver is picked by app alone'],
    ['store/a.ts', './files.ts', 'a driver is picked by app alone'],
    ['commands/a.ts', '../store/level.ts', 'a driver is picked by app alone'],
    ['proxied/a.ts', '../upstream/client.ts', 'a driver is picked by app alone'],
    ['helpers/a.ts', '../store/key-value.ts', 'helpers is no room of the architecture'],
    ['app.ts', './helpers/a.ts', 'helpers is no room of the architecture'],
    ['app.ts', '../test/support/x.ts', 'it lies outside src'],
    ['app.ts', '../package.json', 'it lies outside src'],
    ['proxied/a.ts', 'hono', 'only registry, admin and web know Hono'],
    ['app.ts', 'hono/cookie', 'only registry, admin and web know Hono'],
    ['registry/a.ts', '@hono/node-server', 'only commands/serve knows the Node server'],
    ['commands/pull.ts', '@hono/node-server', 'only commands/serve knows the Node server'],
    ['proxied/a.ts', 'undici', 'only upstream knows undici'],
  ]
  test.each(forbidden)('%s may not import %s', (file, specifier, reason) => {
    expect(breaches(importing(file, specifier))).toEqual([`${file} imports ${specifier}: ${reason}`])
  })

  const allowed: [file: string, specifier: string][] = [
    ['observe/a.ts', '../oci/errors.ts'],
    ['config/a.ts', '../oci/host.ts'],
    ['store/a.ts', '../observe/log.ts'],
    ['catalog/a.ts', '../store/key-value.ts'],
    ['proxied/a.ts', '../upstream/upstream.ts'],
    ['registry/a.ts', 'hono'],
    ['app.ts', './config/load.ts'],
    ['app.ts', './store/level.ts'],
    ['commands/a.ts', '../config/load.ts'],
    ['commands/a.ts', '../charts/a.ts'],
    ['charts/a.ts', '../version/range.ts'],
    ['commands/serve.ts', '@hono/node-server'],
    ['commands/command.ts', '../../package.json'],
    ['main.ts', './commands/serve.ts'],
    ['upstream/a.ts', 'undici'],
    ['store/a.ts', 'node:fs'],
  ]
  test.each(allowed)('%s may import %s', (file, specifier) => {
    expect(breaches(importing(file, specifier))).toEqual([])
  })

  test.each([
    ["import { a } from '../x.ts'"],
    ["import type { a } from '../x.ts'"],
    ["import {\n  a,\n  type b,\n} from '../x.ts'"],
    ["import * as a from '../x.ts'"],
    ["import '../x.ts'"],
    ["export * from '../x.ts'"],
    ["export { a } from '../x.ts'"],
    ["const a = await import('../x.ts')"],
    ["type A = import('../x.ts').A"],
  ])('reads %s', (text) => {
    expect(importsOf(`const before = 1\n${text}\nconst after = 'from'\n`)).toEqual(['../x.ts'])
  })

  test('reads no imports out of comments', () => {
    expect(importsOf("// import '../x.ts'\n/*\nimport '../y.ts'\n*/\n")).toEqual([])
  })

  test('finds a circle of files', () => {
    const circle: Sources = new Map([
      ['oci/a.ts', "import './b.ts'"],
      ['oci/b.ts', "import type { c } from './c.ts'"],
      ['oci/c.ts', "export * from './a.ts'"],
    ])
    expect(breaches(circle)).toEqual(['a circle: oci/a.ts -> oci/b.ts -> oci/c.ts -> oci/a.ts'])
  })
})
