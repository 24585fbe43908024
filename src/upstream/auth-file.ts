/**
 * The format of docker's config.json, which helm writes too, and of podman's auth.json, whose keys may name a repository
 * (containers-auth.json(5)).
 */
import type { RepositoryName } from '../oci/name.ts'
import type { Credential } from './credential.ts'
import { secret } from '../oci/secret.ts'
import { isObject, type JsonObject, parseObject, textOf } from './json-object.ts'

export interface AuthFile {
  /** Host -> suffix of the helper that holds its credential. */
  helpers: Map<string, string>
  /** Suffix of the helper for all other hosts. */
  store: string | undefined
  /** `host` or `host/path` -> what stands there; entries without content, which only mark a helper's, are left out. */
  entries: Map<string, JsonObject>
}

/** `undefined` where the bytes are no JSON object. */
export function parseAuthFile(bytes: Uint8Array): AuthFile | undefined {
  const top = parseObject(bytes)
  if (!top) return undefined
  const file: AuthFile = { helpers: new Map(), store: textOf(top, 'credsStore'), entries: new Map() }
  const helpers = isObject(top['credHelpers']) ? top['credHelpers'] : {}
  for (const key of Object.keys(helpers)) {
    const suffix = textOf(helpers, key)
    if (suffix) file.helpers.set(normalKey(key), suffix)
  }
  const auths = isObject(top['auths']) ? top['auths'] : {}
  for (const [key, entry] of Object.entries(auths)) {
    if (isObject(entry) && hasContent(entry) && !file.entries.has(normalKey(key)))
      file.entries.set(normalKey(key), entry)
  }
  return file
}

const contents = ['auth', 'username', 'password', 'identitytoken', 'registrytoken']

function hasContent(entry: JsonObject): boolean {
  return contents.some((name) => textOf(entry, name) !== undefined)
}

const dockerHubHosts = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io'])

/** `https://Host/v1/`, `host:443` and `host` are one key; Docker Hub's three hosts are one too. Only keys without a scheme keep a path. */
export function normalKey(key: string): string {
  const [, scheme, host = '', path = ''] = /^(https?:\/\/)?([^/]*)(.*)$/is.exec(key) ?? []
  const plain = host.toLowerCase().replace(/:443$/, '')
  const name = dockerHubHosts.has(plain) ? 'docker.io' : plain
  const repository = scheme || /^\/v[12]\/?$/.test(path) ? '' : path.replace(/\/$/, '')
  return name + repository
}

/** The entry for a repository, most specific key first. @throws Error where the entry is there and cannot be read */
export function findEntry(
  file: AuthFile,
  source: string,
  upstream: string,
  repository: RepositoryName,
): Credential | undefined {
  let key = `${normalKey(upstream)}/${repository}`
  while (key !== '') {
    const entry = file.entries.get(key)
    if (entry) return toCredential(entry, source)
    key = key.slice(0, Math.max(key.lastIndexOf('/'), 0))
  }
  return undefined
}

function toCredential(entry: JsonObject, source: string): Credential {
  const pair = splitAuth(textOf(entry, 'auth'))
  const username = textOf(entry, 'username') ?? pair?.username ?? ''
  const password = textOf(entry, 'password') ?? pair?.password ?? ''
  const identityToken = textOf(entry, 'identitytoken')
  const registryToken = textOf(entry, 'registrytoken')
  if (password === '' && !identityToken && !registryToken) throw new Error('its entry holds no password and no token')
  return {
    identity: `${source}:${username === '' ? '<token>' : username}`,
    username,
    ...(password !== '' && { password: secret(password) }),
    ...(identityToken && { identityToken: secret(identityToken) }),
    ...(registryToken && { registryToken: secret(registryToken) }),
  }
}

/** base64 of `user:password`; older tools pad the password with NULs. */
function splitAuth(auth: string | undefined): { username: string; password: string } | undefined {
  if (auth === undefined) return undefined
  const text = /^[A-Za-z0-9+/]+={0,2}$/.test(auth) ? Buffer.from(auth, 'base64').toString('utf8') : ''
  const colon = text.indexOf(':')
  if (colon < 0) throw new Error('its `auth` is not the base64 of `user:password`')
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') }
}
