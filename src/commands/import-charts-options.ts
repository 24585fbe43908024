/** What `entrepot import-charts` is told: the address, and the flags, each checked before anything is asked. */
import { readFile } from 'node:fs/promises'
import { versionsIn } from '../charts/chart-version.ts'
import type { Wish } from '../charts/selection.ts'
import type { Config } from '../config/load.ts'
import type { Flags } from '../config/settings.ts'
import { parseName } from '../oci/name.ts'
import { matches } from '../oci/pattern.ts'
import { secret } from '../oci/secret.ts'
import { InvalidRangeError } from '../version/invalid-range.ts'
import { CommandError, exitCodes } from './exit-code.ts'
import type { HttpOptions } from './import-charts-http.ts'
import { readRepository } from './repository-reference.ts'
import { readSecretLine } from './secret-line.ts'

export interface ImportFlags extends Flags {
  to?: string | undefined
  range?: string | undefined
  chart?: string[] | undefined
  username?: string | undefined
  'password-stdin'?: boolean | undefined
  'ca-file'?: string | undefined
  overwrite?: boolean | undefined
  'dry-run'?: boolean | undefined
  json?: boolean | undefined
}

export interface ImportOrder {
  /** Of the index, without the user's name. */
  url: URL
  wish: Wish
  http: Omit<HttpOptions, 'signal'>
}

/** @throws CommandError */
export async function readOrder(address: string, flags: ImportFlags, config: Config): Promise<ImportOrder> {
  const { url, userinfo } = readAddress(address)
  const to = readFolder(flags.to ?? 'charts/', config)
  const wish = {
    to,
    charts: flags.chart ?? [],
    includes: flags.range === undefined ? undefined : readRange(flags.range),
  }
  const username = flags.username ?? userinfo?.username
  const password = flags['password-stdin']
    ? await readSecretLine(process.stdin, () => bad('What stands on stdin is too long for a password.'))
    : userinfo?.password
  if (flags['password-stdin'] && username === undefined) throw bad('--password-stdin needs --username.')
  const credentials = username === undefined ? undefined : { username, password: secret(password ?? '') }
  const file = flags['ca-file']
  return {
    url,
    wish,
    http: { origin: url.origin, credentials, ca: file === undefined ? undefined : await readCa(file) },
  }
}

/** The address of an index, or of the repository that it stands in. */
function readAddress(address: string): { url: URL; userinfo?: { username: string; password: string } } {
  const url = URL.parse(address)
  if (url?.protocol === 'oci:')
    throw bad('That is an OCI registry already: charts are pulled through Entrepot by its host and their name.')
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    // What stands before the @ of an address may be a password.
    throw bad(
      `${JSON.stringify(address.replace(/^.*@/, ''))} is no address of a chart repository: write it as https://charts.example.com/index.yaml.`,
    )
  }
  if (!/\.(?:ya?ml|json)$/.test(url.pathname)) url.pathname = `${url.pathname.replace(/\/+$/, '')}/index.yaml`
  const { username, password } = url
  url.username = url.password = url.hash = ''
  if (username === '') return { url }
  return { url, userinfo: { username: decode(username), password: decode(password) } }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new CommandError(
      exitCodes.bad,
      'The user name or the password in the address has a % that stands for nothing: write %25.',
      { cause },
    )
  }
}

/** @returns `charts/` for `charts`, `charts/` and `oci://localhost:5000/charts` */
function readFolder(text: string, config: Config): string {
  const { name, ns } = readRepository(text.replace(/\/+$/, ''), config)
  const sample = parseName(`${name}/chart`)
  if (ns === undefined && sample && config.hosted.some((pattern) => matches(pattern, sample))) return `${name}/`
  throw bad(
    `--to ${text}: nothing below it is hosted here. Hosted are ${config.hosted.join(', ')}; the key hosted of the configuration says more.`,
  )
}

function readRange(range: string): (version: string) => boolean {
  try {
    return versionsIn(range)
  } catch (error) {
    if (error instanceof InvalidRangeError)
      throw new CommandError(exitCodes.bad, `--range: ${error.message}`, { cause: error })
    throw error
  }
}

async function readCa(file: string): Promise<string> {
  const pem = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CommandError(exitCodes.bad, `--ca-file ${file} cannot be read.`, { cause })
  })
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem
  throw bad(`--ca-file ${file} has no certificate in PEM.`)
}

function bad(sentence: string): CommandError {
  return new CommandError(exitCodes.bad, sentence)
}
