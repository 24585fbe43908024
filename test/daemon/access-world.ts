/** What there is and where, for the oracle of client access: hosted repositories, and upstreams of which some have a lock. */
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { ociIndex } from '../../src/oci/media-types.ts'
import { imageType, noise } from '../crash/content.ts'
import type { Reply } from '../registry/access/house.ts'
import type { Dice } from '../registry/access/model.ts'
import type { LockedUpstream, Lock } from './access-upstreams.ts'

export type Names = [string, ...string[]]

/** `shared`: its credentials are everybody's under allowAnonymousLan. */
export const upstreams: Record<string, { lock: Lock; shared: boolean }> = {
  'open.example': { lock: 'open', shared: false },
  'vault.example': { lock: 'password', shared: false },
  'bank.example': { lock: 'token', shared: false },
  'lent.example': { lock: 'password', shared: true },
}

export const hostedKeys: Names = ['hosted/local/a', 'hosted/local/b', 'hosted/local/team/c', 'hosted/charts/x']
const proxiedKeys = Object.keys(upstreams).flatMap((host) => [`${host}/acme/app`, `${host}/acme/deep/keys`])
export const keys: Names = [...hostedKeys, ...proxiedKeys]

export const blobs = Array.from({ length: 18 }, (_, index) =>
  pieceOf(noise(`blob ${index}`, index % 3 === 0 ? 20_000 : 60).toString('hex')),
)
export const manifests = [0, 1, 2, 3, 4, 5].map((index) =>
  pieceOf(manifestOver([at(blobs, index), at(blobs, index + 6)], `image ${index}`)),
)
/** What refers to them. */
const signatures = [0, 1, 2].map((index) =>
  pieceOf(manifestOver([at(blobs, index)], `signature ${index}`, at(manifests, index))),
)
/** In every repository, under the tag 1.2.3. */
const common = at(manifests, 0)

export interface Piece {
  digest: Digest
  text: string
}

/** What the model knows: names and digests, no more. */
export interface World {
  blobs: Map<string, Set<Digest>>
  manifests: Map<string, Set<Digest>>
  /** By `key subject`. */
  referrers: Map<string, Set<Digest>>
  /** `key digest` of blobs of upstreams that somebody has pulled: what can be mounted. */
  pulled: Set<string>
}

export function pieceOf(text: string): Piece {
  return { digest: digestOf(Buffer.from(text)), text }
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index % items.length]
  if (item === undefined) throw new TypeError('nothing there')
  return item
}

export function manifestOver(pieces: Piece[], note: string, subject?: { digest: Digest }): string {
  const [config, ...layers] = pieces.map(({ digest, text }) => ({ digest, size: Buffer.byteLength(text) }))
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: imageType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer })),
    annotations: { note },
    ...(subject && { subject: { mediaType: imageType, digest: subject.digest, size: 2 } }),
  })
}

export function indexOver({ digest, text }: Piece, note: string): string {
  const child = { mediaType: imageType, digest, size: Buffer.byteLength(text) }
  return JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests: [child], annotations: { note } })
}

/** A daemon that lets everybody in. */
type Ask = (method: string, path: string, body?: string, type?: string) => Promise<Reply>

/** Puts something into every repository, and pulls most of what the upstreams have. */
export async function fill(dice: Dice, locked: Map<string, LockedUpstream>, ask: Ask): Promise<World> {
  const world: World = { blobs: new Map(), manifests: new Map(), referrers: new Map(), pulled: new Set() }
  for (const key of keys) {
    const held = [common, ...dice.some([...manifests.slice(1), ...signatures], 0.4)]
    const named = blobs.filter(({ digest }) => held.some(({ text }) => text.includes(`"digest":"${digest}"`)))
    const all = [...new Set([...named, ...dice.some(blobs, 0.25)])]
    world.blobs.set(key, new Set(all.map(({ digest }) => digest)))
    world.manifests.set(key, new Set(held.map(({ digest }) => digest)))
    for (const piece of held) addReferrer(world, key, piece)
    const slash = key.indexOf('/')
    const [origin, name] = [key.slice(0, slash), key.slice(slash + 1)]
    const upstream = locked.get(origin)?.registry
    if (!upstream) {
      await push(ask, name, all, held)
      continue
    }
    for (const { text } of all) upstream.putBlob(name, text)
    for (const piece of held) upstream.putManifest(name, piece === common ? '1.2.3' : undefined, piece.text, imageType)
    const pulled = dice.some(all, 0.7).map(({ digest }) => digest)
    for (const digest of pulled) world.pulled.add(`${key} ${digest}`)
    await pull(ask, key, [...pulled.map((digest) => `blobs/${digest}`), ...dice.some(held, 0.7).map(pathOf)])
  }
  return world
}

async function push(ask: Ask, name: string, all: Piece[], held: Piece[]): Promise<void> {
  const base = `/v2/${name}`
  for (const { digest, text } of all) await done(ask('POST', `${base}/blobs/uploads/?digest=${digest}`, text), 201)
  for (const piece of held) await done(ask('PUT', `${base}/${pathOf(piece)}`, piece.text, imageType), 201)
  await done(ask('PUT', `${base}/manifests/1.2.3`, common.text, imageType), 201)
}

async function pull(ask: Ask, key: string, paths: string[]): Promise<void> {
  for (const path of [...paths, 'tags/list', 'manifests/1.2.3', `referrers/${common.digest}`])
    await done(ask('GET', `/v2/${key}/${path}`), 200)
}

function pathOf({ digest }: Piece): string {
  return `manifests/${digest}`
}

export function addReferrer(world: World, key: string, { digest, text }: Piece): void {
  const subject = /"subject":\{[^}]*"digest":"([^"]+)"/.exec(text)?.[1]
  if (subject === undefined) return
  const place = `${key} ${subject}`
  world.referrers.set(place, new Set([...(world.referrers.get(place) ?? []), digest]))
}

async function done(asked: Promise<Reply>, status: number): Promise<void> {
  const reply = await asked
  if (reply.status !== status) throw new Error(`${reply.status} and not ${status}: ${reply.body}`)
}

/** Paths that mean a repository: by name, by mirror's prefix, by ?ns=, without the default upstream's host, in other letters. */
export function spellings(key: string, rest: string): Names {
  const slash = key.indexOf('/')
  const [origin, name] = [key.slice(0, slash), key.slice(slash + 1)]
  const mark = rest.includes('?') ? '&' : '?'
  const [first = '', ...others] = name.split('/')
  const encoded = name.replaceAll('/', '%2F')
  if (origin === 'hosted')
    return [
      `/v2/${name}/${rest}`,
      `/v2/${encoded}/${rest}`,
      `/${first}/v2/${others.join('/')}/${rest}`,
      `/v2/${name}/${rest}${mark}ns=registry.test`,
    ]
  const usual: string[] = origin === 'open.example' ? [`/v2/${name}/${rest}`] : []
  return [
    `/v2/${key}/${rest}`,
    `/v2/${origin.toUpperCase()}/${name}/${rest}`,
    `/v2/${origin}/${encoded}/${rest}`,
    `/v2/${origin.replaceAll('.', '%2e')}/${name}/${rest}`,
    `/${origin}/v2/${name}/${rest}`,
    `/v2/${name}/${rest}${mark}ns=${origin}`,
    `/v2/${key}/${rest}${mark}ns=${origin}`,
    ...usual,
  ]
}
