/**
 * Every key of the configuration, once: its type, check, default and sentence. The types of the code, the JSON Schema that editors
 * use and docs/configuration.md follow from here. (docs/architecture.md, "Configuration")
 */
import { z } from 'zod'
import { parseName } from '../oci/name.ts'
import { access, tls } from './access-schema.ts'
import { line, path, username } from './texts.ts'
import { profiles } from '../version/profile.ts'
import {
  parseDuration,
  parseHostText,
  parseImmutableTags,
  parseListen,
  parsePatternText,
  parseSize,
  parseUrl,
} from './values.ts'

/**
 * A text that a function reads; the function's Error is the reason why it is none. `title` names the type for people. A bare number
 * is told what it lacks, where quotes would not be enough.
 */
function text<T>(title: string, parse: (text: string) => T) {
  return z
    .string({ error: ({ input }) => (typeof input === 'number' ? reasonAgainst(String(input), parse) : undefined) })
    .transform((value, context): T => {
      try {
        return parse(value)
      } catch (error) {
        context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) })
        return z.NEVER
      }
    })
    .meta({ title })
}

function reasonAgainst(value: string, parse: (text: string) => unknown): string | undefined {
  try {
    parse(value)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const host = () => text('host', parseHostText)
const duration = () => text('duration', parseDuration)
const url = text('URL', parseUrl)
const hosts = () => z.array(host()).max(64).meta({ title: 'list of hosts' })
const yesOrNo = () => z.boolean().default(false).meta({ title: 'true or false' })
const rangesSetting = () => z.enum(['on', 'off', 'partials']).meta({ title: 'on, off or partials' })
const policy = () => z.enum(['keep', 'follow']).default('keep').meta({ title: 'keep or follow' })

const secretSource = () =>
  z
    .union([line, z.strictObject({ file: path }), z.strictObject({ env: line })], {
      error: 'must be a text (in quotes where it is a number), { file: PATH } or { env: NAME }',
    })
    .meta({ title: 'secret' })

const alias = text('path component', (value) => {
  if (!parseName(value) || value.includes('/'))
    throw new Error('must be one component of a repository name, such as example')
  return value
})

const prefix = text('leading components of a name', (value) => {
  const name = parseName(value)
  if (!name) throw new Error('must be the leading components of repository names, such as team-a or team-a/apps')
  return name
})

const credential = z.strictObject({
  prefix: prefix.describe(
    'The repositories it is for: their name or its leading components, as the upstream knows them.',
  ),
  username: username().optional().describe('The user name for these repositories.'),
  password: secretSource().optional().describe('The password or access token for these repositories.'),
  identityToken: secretSource().optional().describe('An OAuth2 refresh token for these repositories.'),
})

const clientCertificate = z
  .strictObject({
    cert: path.describe('A PEM file with our certificate.'),
    key: path.describe('A PEM file with its private key, which other users cannot read.'),
  })
  .meta({ title: 'map' })

const upstream = z.strictObject({
  alias: alias.optional().describe('A first path component that means this upstream, besides its host.'),
  url: url
    .optional()
    .describe('Where the upstream really is, if not at https://<host>; http:// is for upstreams without TLS.'),
  username: username().optional().describe('The user name for all repositories that no entry of `credentials` covers.'),
  password: secretSource().optional().describe('The password or access token that goes with `username`.'),
  identityToken: secretSource().optional().describe('An OAuth2 refresh token, exchanged for access tokens.'),
  credentials: z
    .array(credential)
    .max(256)
    .prefault([])
    .meta({ title: 'list of maps' })
    .describe('Credentials for some of its repositories; the longest prefix that covers a repository wins.'),
  tokenRealms: hosts()
    .optional()
    .describe('Token servers on other hosts than its own that may see its credentials; they are asked by https only.'),
  redirectHosts: hosts()
    .prefault([])
    .describe('Hosts with private addresses that it may redirect to; public ones need no entry.'),
  ca: path.optional().describe("A PEM file with the certificates to trust instead of the system's."),
  clientCertificate: clientCertificate
    .optional()
    .describe('What we show to an upstream that asks for a client certificate.'),
  insecure: yesOrNo().describe("Do not verify the upstream's certificate, and let credentials travel without TLS."),
  proxy: secretSource()
    .optional()
    .describe(
      'The URL of the HTTP proxy for all its connections; without it the proxy variables of the environment are ignored.',
    ),
  freshFor: duration()
    .optional()
    .describe("How long this upstream's answers about tags are used before it is asked again."),
  onUpstreamGone: policy().describe(
    'When it answers 404 for what is kept: serve what is kept with a warning, or answer 404.',
  ),
  onUpstreamDenied: policy().describe(
    'When it answers 401 or 403 for what is kept: serve what is kept with a warning, or answer 403.',
  ),
  versionRanges: rangesSetting()
    .optional()
    .describe('What a reference that no tag of this upstream has may mean; without it, as the key at the top says.'),
  shared: yesOrNo().describe(
    'Under `allowAnonymousLan`, its credentials are used for everybody; without it they are not used.',
  ),
})

export const settingsSchema = z.strictObject({
  listen: text('address', parseListen)
    .prefault('127.0.0.1:5000')
    .describe('Where clients reach the daemon: HOST:PORT, [IPV6]:PORT or unix:/PATH.'),
  names: hosts().prefault([]).describe('What clients may call the daemon besides localhost, 127.0.0.1 and [::1].'),
  data: path
    .optional()
    .describe('The folder for everything that is kept; relative to the configuration file, ~ is the home folder.'),
  upstreams: z
    .record(z.string(), upstream)
    .prefault({})
    .meta({ title: 'map of hosts' })
    .describe('The registries that may be asked, by the host that clients know; those of the presets need no entry.'),
  defaultUpstream: host()
    .prefault('docker.io')
    .describe('The upstream of names that start neither with a host nor with an alias and are not hosted.'),
  hosted: z
    .array(text('pattern', parsePatternText))
    .max(256)
    .prefault(['local/**', 'charts/**', 'helm-charts/**', 'myrepo/**'])
    .meta({ title: 'list of patterns' })
    .describe('The names whose truth is here: never asked of an upstream; * is one component, ** one or more.'),
  immutableTags: z
    .array(text('pattern', parseImmutableTags))
    .max(256)
    .prefault([])
    .meta({ title: 'list of patterns' })
    .describe('Tags of hosted names that can be neither moved nor deleted: NAME for all its tags, or NAME:TAG.'),
  dockerConfig: line
    .default('auto')
    .meta({ title: 'auto, off or path' })
    .describe(
      "Credentials from the user's docker configuration and its helpers: where docker looks for it, nowhere, or in a file.",
    ),
  freshFor: duration()
    .prefault('60s')
    .describe('How long an answer about a tag or its referrers is used before the upstream is asked again.'),
  listsFreshFor: duration()
    .prefault('5m')
    .describe('How long a list of tags is used before the upstream is asked again.'),
  versionRanges: rangesSetting()
    .default('on')
    .describe(
      'Whether a reference that no tag has may be a version range: on, off, or partials, which takes 1 and 1.2 for ranges too.',
    ),
  profiles: z
    .record(z.string(), z.enum(profiles))
    .default({ 'hosted/charts/**': 'helm', 'hosted/helm-charts/**': 'helm', 'hosted/myrepo/**': 'helm' })
    .meta({ title: 'map of patterns' })
    .describe('Whose rules read the ranges of which repositories; those that no pattern matches are read as image.'),
  maxSize: text('size', parseSize)
    .prefault('20GiB')
    .describe('How much disk all content may take, unfinished downloads included.'),
  offline: yesOrNo().describe('Serve what is kept and ask no upstream; nothing is evicted.'),
  access: access.optional().describe('Who may do what; without it whoever can connect may do everything.'),
  tls: tls.optional().describe('Serve https instead of http, with this certificate; read again when its files change.'),
  allowAnonymousLan: yesOrNo().describe('Listen off loopback and serve everybody who can connect.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .meta({ title: 'debug, info, warn or error' })
    .describe('The least important lines that are logged.'),
})

/** The checked file, variables and flags; not yet merged with the presets, and secrets not yet read. */
export type Settings = z.output<typeof settingsSchema>
export type UpstreamSettings = z.output<typeof upstream>

/** What may be set by a variable: the keys at the top that hold one value. */
export const scalarKeys = [
  'listen',
  'data',
  'defaultUpstream',
  'dockerConfig',
  'freshFor',
  'listsFreshFor',
  'versionRanges',
  'maxSize',
  'offline',
  'allowAnonymousLan',
  'logLevel',
] as const satisfies (keyof Settings)[]

export type JsonSchema = z.core.JSONSchema.BaseSchema

/** What a configuration file looks like, for editors (config/entrepot.schema.json) and for naming the keys that are known. */
export function settingsJsonSchema(): JsonSchema {
  return z.toJSONSchema(settingsSchema, { io: 'input' })
}
