/**
 * 10,000 random requests against a model of the rules that shares no code with them: who, which repository under which spelling, which
 * digest, by which route. The same bytes are in several repositories, so that content could leak through another one.
 */
import { expect, test } from 'vitest'
import { type Digest, digestOf } from '../../../src/oci/digest.ts'
import { parseTag } from '../../../src/oci/name.ts'
import type { Repository } from '../../../src/repository/repository.ts'
import { createMemoryHosted } from '../memory-hosted.ts'
import { createMemoryRepository, descriptorOf } from '../memory-repository.ts'
import { basic, openAccessHouse, type RuleText } from './house.ts'
import { mayModel, throwDice } from './model.ts'

const probes = 10_000
const mediaType = 'application/vnd.oci.image.manifest.v1+json'
/** Of fay the rules at random know nothing but what they say of everybody. */
const ruled: Names = ['ann', 'bob', 'cid', 'dee', 'eve']
const users: Names = [...ruled, 'fay']
type Names = [string, ...string[]]
const keys: Names = [
  'hosted/local/a',
  'hosted/local/b',
  'hosted/local/team/c',
  'hosted/charts/x',
  'docker.io/library/alpine',
  'docker.io/acme/app',
  'ghcr.io/acme/app',
  'ghcr.io/acme/vault/keys',
]
const patterns: Names = [
  ...keys,
  '**',
  'hosted/**',
  'hosted/local/*',
  'docker.io/**',
  'ghcr.io/acme/*',
  'ghcr.io/**/keys',
  '*/acme/app',
]

const { seed, random, pick, some } = throwDice()

/** What the model knows: plain sets of names. */
interface World {
  rules: RuleText[]
  blobs: Map<string, Set<Digest>>
  manifests: Map<string, Set<Digest>>
}

interface Probe {
  user: string | undefined
  wrong: boolean
  key: string
  /** Where to mount from; `undefined`: wherever the blob is. */
  from: string | undefined
  digest: Digest
  route: Route
}

type Route = 'blob' | 'head' | 'range' | 'manifest' | 'tag' | 'tags' | 'referrers' | 'discover' | 'resolve' | 'mount'
const routes: [Route, ...Route[]] = [
  'blob',
  'head',
  'range',
  'manifest',
  'tag',
  'tags',
  'referrers',
  'discover',
  'resolve',
  'mount',
]

/** The statuses that the architecture gives, from first principles. */
function expected(world: World, { user, wrong, key, from, digest, route }: Probe): number {
  if (wrong) return 401
  const isHosted = key.startsWith('hosted/')
  const may = (where: string, action: string) => mayModel(world.rules, user, where, action)
  if (!may(key, 'pull')) {
    if (user === undefined) return 401
    return route === 'referrers' && isHosted ? 200 : 404
  }
  const has = (kept: Map<string, Set<Digest>>, where = key) => kept.get(where)?.has(digest) === true
  if (route === 'mount') {
    if (!isHosted) return 405
    if (!may(key, 'push')) return user === undefined ? 401 : 403
    const sources = from === undefined ? keys : [from]
    return sources.some((source) => may(source, 'pull') && has(world.blobs, source)) ? 201 : 202
  }
  if (route === 'blob' || route === 'head') return has(world.blobs) ? 200 : 404
  if (route === 'range') return has(world.blobs) ? 206 : 404
  if (route === 'manifest') return has(world.manifests) ? 200 : 404
  return 200
}

const contents = Array.from({ length: 24 }, (_, index) => Buffer.from(`content ${index}`))
const documents = Array.from({ length: 8 }, (_, index) => Buffer.from(JSON.stringify({ schemaVersion: 2, index })))
const [firstDigest, ...otherDigests] = [...contents, ...documents].map((bytes) => digestOf(bytes))
if (firstDigest === undefined) throw new TypeError('no content')
const digests: [Digest, ...Digest[]] = [firstDigest, ...otherDigests]
const tag = parseTag('1.2.3')
/** In every repository, so that a tag, a list and a range always have an answer. */
const common = Buffer.from('{"schemaVersion":2}')

function proxied(key: string, blobs: Buffer[], manifests: Buffer[]): Repository {
  const byTag = Object.fromEntries(manifests.map((bytes, index) => [`m${index}`, { bytes, mediaType }]))
  const content = { blobs, manifests: { ...byTag, '1.2.3': { bytes: common, mediaType } }, tags: ['1.2.3'] }
  return { ...createMemoryRepository({ ...content, referrers: [descriptorOf(key)] }), key }
}

function hosted(key: string, blobs: Buffer[], manifests: Buffer[], mountable: Set<string>): Repository {
  const repository = createMemoryHosted(key, mountable)
  for (const bytes of blobs) repository.blobs.set(digestOf(bytes), bytes)
  for (const bytes of [...manifests, common]) repository.manifests.set(digestOf(bytes), { bytes, mediaType })
  if (tag) repository.tagged.set(tag, digestOf(common))
  const ranges = createMemoryRepository({ blobs })
  return { ...repository, blob: (digest, range) => ranges.blob(digest, range) }
}

/** So that every answer occurs. */
const always: RuleText[] = [
  { users: ['ann'], repositories: ['**'], actions: ['pull', 'push'] },
  { users: ['fay'], repositories: ['hosted/local/*'], actions: ['pull'] },
]

function rulesAtRandom(): RuleText[] {
  const others = Array.from({ length: 12 }, () => ({
    users: [pick([...ruled, 'anonymous']), ...some(ruled, 0.15)],
    repositories: [pick(patterns), ...some(patterns, 0.04)],
    actions: [...(random() < 0.8 ? (['pull'] as const) : []), ...some(['push', 'delete'] as const, 0.4)],
  }))
  const everybody: RuleText = { users: ['*'], repositories: [pick(patterns)], actions: ['pull'] }
  return [...always, everybody, ...others]
}

function build() {
  const world: World = { rules: rulesAtRandom(), blobs: new Map(), manifests: new Map() }
  const mountable = new Set<string>()
  const repositories: Record<string, Repository> = {}
  for (const key of keys) {
    const [blobs, manifests] = [some(contents, 0.4), some(documents, 0.4)]
    world.blobs.set(key, new Set(blobs.map((bytes) => digestOf(bytes))))
    world.manifests.set(key, new Set(manifests.map((bytes) => digestOf(bytes))))
    for (const bytes of blobs) mountable.add(`${key} ${digestOf(bytes)}`)
    const repository = key.startsWith('hosted/')
      ? hosted(key, blobs, manifests, mountable)
      : proxied(key, blobs, manifests)
    for (const spelling of spellings(key)) repositories[spelling] = repository
  }
  return { world, repositories }
}

/** All paths that mean a repository. */
function spellings(key: string): Names {
  if (key.startsWith('hosted/')) return [key.slice('hosted/'.length)]
  if (key === 'docker.io/library/alpine') return [key, 'docker.io/alpine', 'library/alpine', 'alpine']
  return key.startsWith('docker.io/') ? [key, key.slice('docker.io/'.length)] : [key]
}

function requestFor({ key, from, digest, route }: Probe): [string, string, Record<string, string>] {
  const at = `/v2/${pick(spellings(key))}`
  const source = from === undefined ? '' : `&from=${pick(spellings(from))}`
  if (route === 'mount') return ['POST', `${at}/blobs/uploads/?mount=${digest}${source}`, {}]
  if (route === 'head') return ['HEAD', `${at}/blobs/${digest}`, {}]
  if (route === 'range') return ['GET', `${at}/blobs/${digest}`, { Range: 'bytes=1-2' }]
  if (route === 'blob') return ['GET', `${at}/blobs/${digest}`, {}]
  if (route === 'manifest') return ['GET', `${at}/manifests/${digest}`, {}]
  if (route === 'tag') return ['GET', `${at}/manifests/${pick(['1.2.3', '1.x', 'caret-1'])}`, {}]
  if (route === 'referrers') return ['GET', `${at}/referrers/${digest}`, {}]
  if (route === 'discover') return ['GET', `${at}/_oci/ext/discover`, {}]
  return ['GET', route === 'tags' ? `${at}/tags/list` : `${at}/_entrepot/versions/resolve?range=1.x`, {}]
}

test(`10,000 random probes differ nowhere from the model (seed ${seed})`, { timeout: 120_000 }, async () => {
  const { world, repositories } = build()
  const house = await openAccessHouse({
    repositories,
    rules: world.rules,
    users: Object.fromEntries(users.map((user) => [user, `password of ${user}`])),
  })
  const differences: unknown[] = []
  const seen = new Map<number, number>()

  async function probe(): Promise<void> {
    const user = pick<string | undefined>([undefined, ...users])
    const one: Probe = {
      user,
      wrong: user !== undefined && random() < 0.002,
      key: pick(keys),
      from: pick<string | undefined>([undefined, ...keys]),
      digest: pick(digests),
      route: pick(routes),
    }
    const [method, target, headers] = requestFor(one)
    const credentials = user === undefined ? {} : basic(user, one.wrong ? 'wrong' : `password of ${user}`)
    const { status, body } = await house.ask(method, target, { ...credentials, ...headers })
    seen.set(status, (seen.get(status) ?? 0) + 1)
    // An empty list of referrers is what absence looks like there.
    const leaks =
      status === 200 &&
      one.route === 'referrers' &&
      !mayModel(world.rules, user, one.key, 'pull') &&
      body.includes('sha256:')
    if (status !== expected(world, one) || leaks)
      differences.push({ ...one, target, status, expected: expected(world, one) })
  }

  for (let done = 0; done < probes; done += 8) await Promise.all(Array.from({ length: 8 }, probe))
  expect(differences.slice(0, 5)).toEqual([])
  expect([...seen.keys()].toSorted((one, other) => one - other)).toEqual([200, 201, 202, 206, 401, 403, 404, 405])
})
