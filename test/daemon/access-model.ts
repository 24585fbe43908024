/** What must come, from the rules of docs/architecture.md ("Who is let near", "Links are proof") and nothing else. */
import type { Digest } from '../../src/oci/digest.ts'
import type { RuleText } from '../registry/access/house.ts'
import { mayModel } from '../registry/access/model.ts'
import { hostedKeys, keys, upstreams, type World } from './access-world.ts'

export type Route =
  | 'blob'
  | 'head'
  | 'range'
  | 'manifest'
  | 'tag'
  | 'tags'
  | 'referrers'
  | 'resolve'
  | 'mount'
  | 'name it'
  | 'index it'
  | 'claim it'
  | 'upload it'
  | 'delete it'

export interface Probe {
  user: string | undefined
  key: string
  /** Where to mount from; `undefined`: wherever the blob is. */
  from: string | undefined
  digest: Digest
  route: Route
}

export interface Model {
  world: World
  /** `undefined`: no `access`, everybody may do everything. */
  rules: RuleText[] | undefined
  /** allowAnonymousLan: what needs credentials and is not shared is nobody's. */
  isLan: boolean
}

export const changes: ReadonlySet<Route> = new Set<Route>([
  'mount',
  'name it',
  'index it',
  'claim it',
  'upload it',
  'delete it',
])

/** The statuses that are right; more than one where it depends on what a mount may find kept. */
export function expected(model: Model, probe: Probe): number[] {
  const { user, key, route } = probe
  const isHosted = hostedKeys.includes(key)
  if (!may(model, user, key, 'pull')) {
    if (user === undefined) return [401]
    return [route === 'referrers' && isHosted ? 200 : 404]
  }
  if (!changes.has(route)) return isHidden(model, key) ? [403] : [readStatus(model, probe)]
  if (!isHosted) return [405]
  if (!may(model, user, key, route === 'delete it' ? 'delete' : 'push')) return [user === undefined ? 401 : 403]
  return changeStatus(model, probe)
}

/** What a list of referrers has, by digest. */
export function referrersOf(model: Model, { user, key, digest }: Probe): ReadonlySet<Digest> {
  const all = model.world.referrers.get(`${key} ${digest}`)
  return all && may(model, user, key, 'pull') ? all : new Set()
}

function may({ rules }: Model, user: string | undefined, key: string, action: string): boolean {
  return rules === undefined || mayModel(rules, user, key, action)
}

function isHidden({ isLan }: Model, key: string): boolean {
  const upstream = upstreams[key.slice(0, key.indexOf('/'))]
  return isLan && upstream !== undefined && upstream.lock !== 'open' && !upstream.shared
}

function readStatus({ world }: Model, { key, digest, route }: Probe): number {
  const hasBlob = world.blobs.get(key)?.has(digest) === true
  if (route === 'blob' || route === 'head') return hasBlob ? 200 : 404
  if (route === 'range') return hasBlob ? 206 : 404
  if (route === 'manifest') return world.manifests.get(key)?.has(digest) === true ? 200 : 404
  return 200
}

function changeStatus(model: Model, { user, key, from, digest, route }: Probe): number[] {
  const { world } = model
  const has = (where: string) => world.blobs.get(where)?.has(digest) === true
  if (route === 'index it' || route === 'upload it') return [201]
  if (route === 'claim it') return [400]
  if (route === 'name it') return [has(key) ? 201 : 404]
  if (route === 'delete it') return [has(key) ? 202 : 404]
  const sources = (from === undefined ? keys : [from]).filter(
    (source) => has(source) && may(model, user, source, 'pull') && !isHidden(model, source),
  )
  if (sources.length === 0) return [202]
  const isThere = sources.some((source) => hostedKeys.includes(source) || world.pulled.has(`${source} ${digest}`))
  return isThere ? [201] : [201, 202]
}
