/** File, variables and flags, laid over one another and checked against the schema. */
import type { z } from 'zod'
import type { ConfigFile } from './file.ts'
import { ConfigError, guess, hint, type KeyPath, type Place, type Problem, problemLine } from './problem.ts'
import { type JsonSchema, scalarKeys, type Settings, settingsJsonSchema, settingsSchema } from './schema.ts'

/** What the command line says; `undefined` where it says nothing. */
export interface Flags {
  config?: string | undefined
  listen?: string | undefined
  data?: string | undefined
  offline?: boolean | undefined
}

const prefix = 'ENTREPOT_'

export interface CheckedSettings {
  settings: Settings
  /** Where the value of a key comes from; `undefined` for a default. */
  locate: (path: KeyPath) => Place | undefined
  isFromFile: (key: string) => boolean
}

/** @throws ConfigError with every problem of the schema */
export function checkSettings(file: ConfigFile | undefined, env: NodeJS.ProcessEnv, flags: Flags): CheckedSettings {
  const fromVariables = variables(env)
  const fromFlags = definedOf({ listen: flags.listen, data: flags.data, offline: flags.offline })
  const locate = ([first = '', ...rest]: KeyPath) => {
    if (Object.hasOwn(fromFlags, first)) return `--${first}`
    if (Object.hasOwn(fromVariables, first)) return variableOf(String(first))
    return file && (first === '' || Object.hasOwn(file.content, first)) ? file.locate([first, ...rest]) : undefined
  }
  const isFromFile = (key: string) => !Object.hasOwn({ ...fromVariables, ...fromFlags }, key)
  const merged = { ...withEmptyUpstreams(file?.content ?? {}), ...fromVariables, ...fromFlags }
  const result = settingsSchema.safeParse(merged, { error: plainReason })
  if (result.success) return { settings: result.data, locate, isFromFile }
  const problems = result.error.issues.flatMap(problemsOf)
  throw new ConfigError(problems.map((problem) => problemLine(locate(problem.path), problem)))
}

/**
 * Stops at a variable that nobody reads, which would otherwise be a setting that silently does nothing.
 * @param secrets names of variables that the configuration reads secrets from
 * @throws ConfigError
 */
export function refuseUnknownVariables(env: NodeJS.ProcessEnv, secrets: ReadonlySet<string>): void {
  const known = ['CONFIG', ...scalarKeys.map(snakeCase)]
  const unknown = Object.keys(env).filter(
    (name) =>
      name.startsWith(prefix) &&
      !name.startsWith('ENTREPOT_TEST_') &&
      !known.includes(name.slice(prefix.length)) &&
      !secrets.has(name),
  )
  if (unknown.length === 0) return
  throw new ConfigError(
    unknown.map((name) => `${name}: unknown variable${hint(name.slice(prefix.length), known, prefix)}`),
  )
}

/** `freshFor` -> `ENTREPOT_FRESH_FOR` */
export function variableOf(key: string): string {
  return prefix + snakeCase(key)
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

function variables(env: NodeJS.ProcessEnv): Record<string, unknown> {
  const pairs = scalarKeys.map((key) => [key, env[variableOf(key)]] as const)
  return definedOf(Object.fromEntries(pairs.map(([key, text]) => [key, isSwitch(key) ? switchOf(text) : text])))
}

function isSwitch(key: string): boolean {
  return key === 'offline' || key === 'allowAnonymousLan'
}

function switchOf(text: string | undefined): unknown {
  if (text === 'true') return true
  return text === 'false' ? false : text
}

function definedOf(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

/** `quay.io:` with nothing after it is an upstream with no settings of its own, not a wrong type. */
function withEmptyUpstreams(content: Record<string, unknown>): Record<string, unknown> {
  const { upstreams } = content
  if (typeof upstreams !== 'object' || upstreams === null || Array.isArray(upstreams)) return content
  const filled = Object.entries(upstreams).map(([host, settings]: [string, unknown]) => [host, settings ?? {}])
  return { ...content, upstreams: Object.fromEntries(filled) }
}

const names: Record<string, string> = {
  string: 'a text (in quotes where it would be read as a number)',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
}

/** zod's issues as reasons that name no type of the code; `undefined` leaves a reason that the schema gives itself. */
const plainReason: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'invalid_type') {
    const wanted = names[issue.expected] ?? issue.expected
    return issue.input === undefined ? 'is missing' : `must be ${wanted}, not ${kindOf(issue.input)}`
  }
  if (issue.code === 'invalid_value') return noneOf(issue.values.map(String), issue.input)
  if (issue.code === 'too_big') return `has more than ${issue.maximum} entries`
  return undefined
}

function noneOf(known: string[], input: unknown): string {
  const wanted = `must be ${known.join(' or ')}`
  if (typeof input === 'string') return `${wanted}, not ${JSON.stringify(input.slice(0, 64))}${guess(input, known)}`
  const isPlain = typeof input === 'number' || typeof input === 'boolean'
  return `${wanted}, not ${isPlain ? String(input) : kindOf(input)}`
}

function kindOf(input: unknown): string {
  if (input === null) return 'nothing'
  if (Array.isArray(input)) return 'a list'
  if (typeof input === 'object') return 'a map'
  return { string: 'a text', number: 'a number', boolean: 'true or false' }[typeof input as string] ?? 'that'
}

function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)))
  if (issue.code !== 'unrecognized_keys') return [{ path, reason: issue.message }]
  const known = knownKeys(settingsJsonSchema(), path)
  return issue.keys.map((key) => ({ path: [...path, key], reason: `unknown key${hint(key, known)}` }))
}

function knownKeys(schema: JsonSchema, path: KeyPath): string[] {
  const [step, ...rest] = path
  if (step === undefined) return [schema, ...(schema.anyOf ?? [])].flatMap((one) => Object.keys(one.properties ?? {}))
  const inner = typeof step === 'number' ? schema.items : (schema.properties?.[step] ?? schema.additionalProperties)
  return isSchema(inner) ? knownKeys(inner, rest) : []
}

function isSchema(inner: unknown): inner is JsonSchema {
  return typeof inner === 'object' && inner !== null && !Array.isArray(inner)
}
