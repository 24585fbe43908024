/** Upstreams as they will be used: the configured ones over the presets, files and secrets read, contradictions refused. */
import { readFileSync } from 'node:fs'
import { coversFirst, type Pattern } from '../oci/pattern.ts'
import { parseHost, portAlias } from '../oci/host.ts'
import { dockerHub, type Preset, presets } from './presets.ts'
import { attempt, type KeyPath, type Problem, type Report } from './problem.ts'
import type { Settings, UpstreamSettings } from './schema.ts'
import { type Secret, secret } from '../oci/secret.ts'
import { readSecretFile, resolveSecret, type SecretPlaces, type SecretSource } from './secret.ts'
import { readCredentials, type UpstreamCredential } from './upstream-credentials.ts'
import { isLoopback, leadsTo, parseUrl } from './values.ts'

export interface UpstreamConfig {
  /** The host as clients know it. */
  name: string
  /** A first path component that means this upstream, besides its hosts and `host-port`. */
  alias?: string
  /** Other hosts that mean it. */
  otherNames: readonly string[]
  url: URL
  /** The most specific first. */
  credentials: readonly UpstreamCredential[]
  tokenRealms: readonly string[]
  redirectHosts: readonly string[]
  /** PEM texts. */
  ca?: string
  clientCertificate?: { cert: string; key: Secret }
  insecure: boolean
  /** The URL of a proxy; it may carry a user name and a password. */
  proxy?: Secret
  /** ms */
  freshFor: number
  onUpstreamGone: 'keep' | 'follow'
  onUpstreamDenied: 'keep' | 'follow'
  versionRanges: 'on' | 'off' | 'partials'
  shared: boolean
}

export function mergeUpstreams(settings: Settings, places: SecretPlaces, report: Report): UpstreamConfig[] {
  const configured = new Map<string, [string, UpstreamSettings]>()
  for (const [key, own] of Object.entries(settings.upstreams)) {
    const name = upstreamName(key, report)
    if (name === undefined) continue
    if (configured.has(name)) report(['upstreams', key], `means the same upstream as another entry: ${name}`)
    configured.set(name, [key, own])
  }
  const names = new Set([...Object.keys(presets), ...configured.keys()])
  return [...names].map((name) => {
    const [key, own] = configured.get(name) ?? [name, undefined]
    return mergeOne(name, own, {
      settings,
      places,
      report: (path, reason) => report(['upstreams', key, ...path], reason),
    })
  })
}

export interface HostedNames {
  patterns: readonly Pattern[]
  /** Nobody wrote them: what they collide with is what was written. */
  areDefaults: boolean
}

/** Two upstreams that share a name, names that nobody could ask for. */
export function checkNames(upstreams: readonly UpstreamConfig[], hosted: HostedNames): Problem[] {
  const owners: Owners = new Map([['library', { name: dockerHub, path: ['hosted'] }]])
  const problems: Problem[] = []
  for (const { name, otherNames } of upstreams)
    for (const host of [name, ...otherNames]) owners.set(host, { name, path: ['upstreams', name] })
  for (const { name, alias } of upstreams) {
    const implied = portAlias(name)
    for (const other of new Set([alias, implied])) {
      const owner = other === undefined ? undefined : owners.get(other)
      const path = ['upstreams', name, ...(other === alias ? ['alias'] : [])]
      if (other === 'library')
        problems.push({ path, reason: 'library is the name of the official images of Docker Hub' })
      else if (other === 'hosted') problems.push({ path, reason: hostedIsOurs })
      else if (owner) problems.push({ path, reason: `${other} already means the upstream ${owner.name}` })
      if (other !== undefined) owners.set(other, { name, path })
    }
  }
  return [...problems, ...hosted.patterns.flatMap((pattern, index) => collision(pattern, index, owners, hosted) ?? [])]
}

const hostedIsOurs = 'hosted is what the repositories of this daemon are called'

/** What each first component of a name means, and where that was said. */
type Owners = Map<string, { name: string; path: KeyPath }>

function collision(pattern: Pattern, index: number, owners: Owners, { areDefaults }: HostedNames): Problem | undefined {
  const found = [...owners].find(([component]) => coversFirst(pattern, component))
  if (!found) return undefined
  const [covered, { name, path }] = found
  if (!areDefaults) {
    const means = covered === 'library' ? 'the official images of Docker Hub' : `the upstream ${name}`
    const reason = `the pattern ${pattern} covers names that mean ${means}, and those cannot be hosted: let it start with another component than ${covered}`
    return { path: ['hosted', index], reason }
  }
  const reason = `${covered} is a name that is hosted here by default (${pattern}): choose another, or say hosted without that pattern`
  return { path, reason }
}

function upstreamName(key: string, report: Report): string | undefined {
  const name = parseHost(key)
  const preset = Object.entries(presets).find(([, { otherNames }]) => name !== undefined && otherNames.includes(name))
  if (name === undefined) report(['upstreams', key], 'must be a host as clients write it: HOST or HOST:PORT')
  else if (name === 'library') report(['upstreams', key], 'library is the name of the official images of Docker Hub')
  else if (name === 'hosted') report(['upstreams', key], hostedIsOurs)
  else if (preset) report(['upstreams', key], `is another name of ${preset[0]}: configure that`)
  else return name
  return undefined
}

interface MergeContext {
  settings: Settings
  places: SecretPlaces
  report: Report
}

function mergeOne(name: string, own: UpstreamSettings | undefined, context: MergeContext): UpstreamConfig {
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined
  const url = own?.url ?? parseUrl(preset?.url ?? `https://${name}`)
  const credentials = own ? readCredentials(own, context) : []
  if (own) checkOne(own, url, credentials.length > 0, context.report)
  if (leadsTo(url, context.settings.listen)) {
    context.report(['url'], 'is where this daemon itself listens: it would ask itself without end')
  }
  return {
    name,
    ...(own?.alias === undefined ? {} : { alias: own.alias }),
    otherNames: preset?.otherNames ?? [],
    url,
    credentials,
    tokenRealms: own?.tokenRealms ?? presetRealms(preset, own),
    redirectHosts: own?.redirectHosts ?? [],
    ...(own ? readTls(own, context) : {}),
    insecure: own?.insecure ?? false,
    ...(own?.proxy === undefined ? {} : readProxy(own.proxy, context)),
    freshFor: own?.freshFor ?? context.settings.freshFor,
    onUpstreamGone: own?.onUpstreamGone ?? 'keep',
    onUpstreamDenied: own?.onUpstreamDenied ?? 'keep',
    versionRanges: own?.versionRanges ?? context.settings.versionRanges,
    shared: own?.shared ?? false,
  }
}

/** A registry that stands in for a public one has its own token server, and no business with the public one's. */
function presetRealms(preset: Preset | undefined, own: UpstreamSettings | undefined): readonly string[] {
  return preset && own?.url === undefined ? preset.tokenRealms : []
}

function checkOne(own: UpstreamSettings, url: URL, hasCredentials: boolean, report: Report): void {
  const plain = url.protocol === 'http:'
  if (plain && own.ca !== undefined) report(['ca'], 'has no use where url is http://')
  if (plain && own.clientCertificate !== undefined) report(['clientCertificate'], 'has no use where url is http://')
  if (own.insecure && own.ca !== undefined) report(['ca'], 'contradicts insecure: true')
  if (plain && hasCredentials && !own.insecure && !isLoopback(url.hostname)) {
    report(
      ['url'],
      'is http://, so credentials would travel in the clear: use https://, or say insecure: true if that is meant',
    )
  }
}

function readTls(
  own: UpstreamSettings,
  { places, report }: MergeContext,
): Pick<UpstreamConfig, 'ca' | 'clientCertificate'> {
  const pem = (file: string, key: KeyPath) => attempt(() => pemText(places.path(file)), key, report)
  const ca = own.ca === undefined ? undefined : pem(own.ca, ['ca'])
  if (!own.clientCertificate) return ca === undefined ? {} : { ca }
  const { cert: certFile, key: keyFile } = own.clientCertificate
  const cert = pem(certFile, ['clientCertificate', 'cert'])
  const key = attempt(
    () => secret(readSecretFile(places.path(keyFile), places.env)),
    ['clientCertificate', 'key'],
    report,
  )
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || !key ? {} : { clientCertificate: { cert, key } }),
  }
}

function pemText(path: string): string {
  const text = readFileSync(path, 'utf8')
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new Error(`names ${path}, which holds no PEM certificate`)
  return text
}

function readProxy(source: SecretSource, { places, report }: MergeContext): Pick<UpstreamConfig, 'proxy'> {
  const proxy = attempt(() => resolveSecret(source, places), ['proxy'], report)
  if (!proxy) return {}
  if (/^https?:\/\/[^/]/i.test(proxy.reveal()) && URL.canParse(proxy.reveal())) return { proxy }
  report(['proxy'], 'must be a URL with http:// or https://')
  return {}
}
