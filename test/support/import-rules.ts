/**
 * The import rules of docs/architecture.md ("Rooms") as data, and a checker of files against them. A room may import what stands
 * left of it, never one of its own group.
 */
import { dirname, join, normalize } from 'node:path'

/** Files of `src`, by their path in it (`store/level.ts`), with their text. */
export type Sources = ReadonlyMap<string, string>

const everybodys = ['oci', 'version', 'observe']
const order = [
  ['oci'],
  ['store', 'upstream'],
  ['catalog'],
  ['repository'],
  ['proxied', 'hosted'],
  ['upkeep', 'transfer'],
  ['registry', 'admin', 'web'],
  ['app'],
  ['commands'],
  ['main'],
]
/** What the order would allow and the architecture forbids. */
const exceptions = new Map([['catalog', ['upstream']]])

/** Rooms that import everybody's alone, and who may import them. */
const secluded = new Map([
  ['config', ['app', 'commands']],
  ['charts', ['commands']],
])

/** The files that `app` alone picks. */
export const drivers = ['store/level.ts', 'store/files.ts', 'upstream/client.ts']

const packages: { name: RegExp; importers: RegExp; sentence: string }[] = [
  { name: /^hono(\/|$)/, importers: /^(registry|admin|web)\//, sentence: 'only registry, admin and web know Hono' },
  {
    name: /^@hono\/node-server(\/|$)/,
    importers: /^commands\/serve\.ts$/,
    sentence: 'only commands/serve knows the Node server',
  },
  { name: /^undici(\/|$)/, importers: /^upstream\//, sentence: 'only upstream knows undici' },
]

/** Every breach as a sentence that names the file; empty where the rules hold. */
export function breaches(sources: Sources): string[] {
  const imports = [...sources].map(([file, text]) => ({ file, specifiers: importsOf(text) }))
  const found = imports.flatMap(({ file, specifiers }) =>
    specifiers.flatMap((specifier) => {
      const reason = specifier.startsWith('.')
        ? roomBreach(file, targetOf(file, specifier))
        : packageBreach(file, specifier)
      return reason === undefined ? [] : [`${file} imports ${specifier}: ${reason}`]
    }),
  )
  return [...found, ...circles(sources)]
}

/** The specifiers of static, type-only, re-exporting and dynamic imports. */
export function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  const statements = /^\s*(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*['"]([^'"]+)['"]/gm
  const calls = /\b(?:import|require|import\.meta\.resolve)\s*\(\s*['"`]([^'"`]+)['"`]/g
  return [...code.matchAll(statements), ...code.matchAll(calls)].map(([, specifier = '']) => specifier)
}

function targetOf(file: string, specifier: string): string {
  return normalize(join(dirname(file), specifier))
}

/** `store/level.ts` -> `store`; `app.ts` -> `app` */
function roomOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : file.replace(/\.ts$/, '')
}

function roomBreach(file: string, target: string): string | undefined {
  const [from, to] = [roomOf(file), roomOf(target)]
  if (drivers.includes(target) && from !== 'app') return 'a driver is picked by app alone'
  if (from === to) return undefined
  if (target === '../package.json' && from === 'commands') return undefined
  if (target.startsWith('..')) return 'it lies outside src'
  if (everybodys.includes(from)) return to === 'oci' ? undefined : `${from} may import only oci`
  if (everybodys.includes(to)) return undefined
  if (secluded.has(from)) return `${from} may import only oci, version and observe`
  const importers = secluded.get(to)
  if (importers?.includes(from)) return undefined
  if (importers) return `only ${importers.join(' and ')} know ${to}`
  const [here, there] = [placeOf(from), placeOf(to)]
  if (here < 0) return `${from} is no room of the architecture`
  if (there < 0) return `${to} is no room of the architecture`
  if (exceptions.get(from)?.includes(to)) return `${from} may not import ${to}`
  if (here === there) return `${from} and ${to} are of one group`
  return there < here ? undefined : `${to} stands right of ${from}`
}

function placeOf(room: string): number {
  return order.findIndex((group) => group.includes(room))
}

function packageBreach(file: string, specifier: string): string | undefined {
  const rule = packages.find(({ name }) => name.test(specifier))
  return !rule || rule.importers.test(file) ? undefined : rule.sentence
}

/** Circles of imports between files, each once. */
function circles(sources: Sources): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: string[]): void => {
    const start = path.indexOf(file)
    if (start >= 0) found.push(`a circle: ${[...path.slice(start), file].join(' -> ')}`)
    if (start >= 0 || done.has(file)) return
    for (const next of neighbours(file, sources)) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of sources.keys()) visit(file, [])
  return found
}

function neighbours(file: string, sources: Sources): Set<string> {
  const relative = importsOf(sources.get(file) ?? '').filter((specifier) => specifier.startsWith('.'))
  return new Set(relative.map((specifier) => targetOf(file, specifier)))
}
