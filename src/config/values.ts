/** How single values are written: durations, sizes, addresses, URLs. Each function throws an Error whose message is the reason. */
import { BlockList, isIP } from 'node:net'
import { parseHost } from '../oci/host.ts'
import { parsePattern, type Pattern } from '../oci/pattern.ts'

/** Where clients reach us. */
export type Listen = { host: string; port: number } | { path: string }

const milliseconds: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const bytes: Record<string, number> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}
const longestDuration = 366 * 86_400_000
const smallestSize = 2 ** 20

/** `60s` -> 60,000 ms */
export function parseDuration(text: string): number {
  const duration = quantity(text, milliseconds)
  if (duration === undefined) throw new Error('must be a number and a unit: 500ms, 60s, 5m, 24h, 7d')
  if (duration > longestDuration) throw new Error('must be at most 366d')
  return duration
}

/** `20GiB` -> bytes */
export function parseSize(text: string): number {
  const size = quantity(text, bytes)
  if (size === undefined) throw new Error('must be a number and a unit: 500MiB, 20GiB, 1TB')
  if (size < smallestSize || !Number.isSafeInteger(size)) throw new Error('must be at least 1MiB and at most 8191TiB')
  return size
}

export function parseListen(text: string): Listen {
  if (text.startsWith('unix:')) return socketPath(text.slice('unix:'.length))
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  if (!match) throw new Error('must be HOST:PORT, [IPV6]:PORT or unix:/PATH, such as 127.0.0.1:5000')
  const host = match[1] ?? match[2] ?? ''
  const port = Number(match[3])
  if (port > 65535) throw new Error('has a port above 65535')
  if (match[1] !== undefined ? isIP(host) !== 6 : parseHost(host) === undefined)
    throw new Error(`has no usable address`)
  return { host: host.toLowerCase(), port }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** Whether only this machine can reach an address. A name other than `localhost` may lead anywhere. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '')
  const family = isIP(bare)
  return family === 0 ? bare === 'localhost' : loopback.check(bare, family === 6 ? 'ipv6' : 'ipv4')
}

/** Hosts by which a socket on one of them is reached, or may be: a name leads to either family, and 0.0.0.0 leads to loopback. */
const usualLoopback = new Set(['localhost', '127.0.0.1', '[::1]', '0.0.0.0', '[::]'])
const anyAddress = new Set(['0.0.0.0', '[::]'])

/** Whether a URL leads to what we listen on ourselves. */
export function leadsTo(url: URL, listen: Listen): boolean {
  if ('path' in listen || Number(url.port || usualPort(url)) !== listen.port) return false
  const own = comparableHost(listen.host)
  const asked = comparableHost(url.hostname)
  if (own === asked) return true
  if (anyAddress.has(own)) return anyAddress.has(asked) || isLoopback(asked)
  return usualLoopback.has(own) && usualLoopback.has(asked)
}

function usualPort({ protocol }: URL): number {
  return protocol === 'https:' ? 443 : 80
}

/** As the URL parser writes it: addresses in their shortest form, IPv6 in brackets, and IPv4 inside IPv6 as what it is. */
function comparableHost(host: string): string {
  const bracketed = isIP(host) === 6 ? `[${host}]` : host
  const name = (URL.parse(`http://${bracketed}`)?.hostname ?? host).replace(/\.$/, '')
  const mapped = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(name)
  if (mapped) return mapped.slice(1).flatMap(bytesOfPair).join('.')
  return name.endsWith('.localhost') ? 'localhost' : name
}

function bytesOfPair(hex: string): number[] {
  const pair = Number.parseInt(hex, 16)
  return [pair >> 8, pair & 0xff]
}

/** A registry's or a token server's host as clients write it, made comparable. */
export function parseHostText(text: string): string {
  const host = parseHost(text)
  if (host === undefined) throw new Error('must be HOST or HOST:PORT, without scheme and path')
  return host
}

/** @throws Error where nothing else is wrong */
function refuseUpperCase(text: string): void {
  const lower = text.toLowerCase()
  if (lower !== text && parsePattern(lower) !== undefined)
    throw new Error(`must be in lower case, as all names are: ${lower}`)
}

export function parsePatternText(text: string): Pattern {
  const pattern = parsePattern(text)
  if (pattern === undefined) {
    refuseUpperCase(text)
    throw new Error('must be a name in which * stands for one component and ** for one or more, such as charts/**')
  }
  return pattern
}

/** Tags by pattern; no `tags`: every one. */
export interface TagPattern {
  names: Pattern
  /** In which `*` stands for any characters. */
  tags?: string
}

/** `charts/**`, `local/**:v*` */
export function parseImmutableTags(text: string): TagPattern {
  const [name = '', ...rest] = text.split(':')
  const names = parsePattern(name)
  const tags = rest.length === 0 ? undefined : rest.join(':')
  refuseUpperCase(name)
  if (names === undefined || (tags !== undefined && !/^[\w.*-]{1,128}$/.test(tags))) {
    throw new Error('must be a pattern of hosted names, alone or with a colon and a tag: charts/**, local/**:v*')
  }
  return tags === undefined ? { names } : { names, tags }
}

export function parseUrl(text: string): URL {
  if (!/^https?:\/\/[^/\\]/i.test(text) || !URL.canParse(text))
    throw new Error('must be a URL with http:// or https://')
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') throw new Error('must not carry a user name or password')
  if (url.search !== '' || url.hash !== '') throw new Error('must have no query and no fragment')
  return url
}

const longestSocketPath = 107

/** Why a unix socket cannot be bound there; the kernel's limit is on bytes. */
export function tooLongForSocket(path: string): string | undefined {
  const length = Buffer.byteLength(path)
  if (length <= longestSocketPath) return undefined
  return `leads to the socket ${path}, whose path has ${length} bytes; the kernel takes ${longestSocketPath}`
}

function socketPath(path: string): Listen {
  if (!path.startsWith('/')) throw new Error('must be unix: and an absolute path')
  const tooLong = tooLongForSocket(path)
  if (tooLong) throw new Error(tooLong)
  return { path }
}

function quantity(text: string, units: Record<string, number>): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,3})?) ?([A-Za-z]{1,3})$/.exec(text)
  const unit = match && Object.hasOwn(units, match[2] ?? '') ? units[match[2] ?? ''] : undefined
  return match && unit !== undefined ? Math.round(Number(match[1]) * unit) : undefined
}
