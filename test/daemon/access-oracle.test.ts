/**
 * Random requests to a daemon with hosted repositories and upstreams of which some need credentials, against a model of the rules that
 * shares no code with it: who, which repository in which spelling, which digest, by which route. The same bytes are in several repositories,
 * so that what is private could leak through another one; and clients try to make it theirs, by everything that a push can name.
 */
import { writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { imageType } from '../crash/content.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { ociIndex } from '../../src/oci/media-types.ts'
import { ask, basic, cheapHash, type Reply, type RuleText } from '../registry/access/house.ts'
import { type Dice, throwDice } from '../registry/access/model.ts'
import { changes, expected, type Model, type Probe, referrersOf, type Route } from './access-model.ts'
import { startLocked } from './access-upstreams.ts'
import {
  addReferrer,
  blobs,
  fill,
  hostedKeys,
  indexOver,
  keys,
  manifestOver,
  manifests,
  type Names,
  type Piece,
  pieceOf,
  spellings,
  upstreams,
  type World,
} from './access-world.ts'
import { startEntrepot, temporaryFolder } from './entrepot.ts'

const dice = throwDice()
const users: Names = ['ann', 'bob', 'cid', 'dee', 'eve', 'fay']
/** Of fay the rules at random say only what they say of everybody. */
const ruled: Names = ['ann', 'bob', 'cid', 'dee', 'eve']
const patterns: Names = [
  ...keys,
  'hosted/**',
  'hosted/local/*',
  'vault.example/**',
  '*/acme/app',
  'lent.example/**/keys',
]
const nowhere = pieceOf('nowhere')
const pieces: [Piece, ...Piece[]] = [nowhere, ...blobs, ...manifests]
/** That these came shows that the probes reach what they are meant to. */
const answers = (
  'blob 200, blob 401, blob 404, mount 201, mount 202, mount 401, mount 403, mount 404, mount 405, name it 201, name it 404, ' +
  'claim it 400, upload it 201, delete it 202, delete it 403'
).split(', ')
const reads: [Route, ...Route[]] = ['blob', 'head', 'range', 'manifest', 'tag', 'tags', 'referrers', 'resolve']
const pushes: [Route, ...Route[]] = ['mount', 'mount', 'name it', 'index it', 'claim it', 'upload it', 'delete it']

function rulesAtRandom({ pick, some, random }: Dice): RuleText[] {
  const others = Array.from({ length: 14 }, () => ({
    users: [pick([...ruled, 'anonymous']), ...some(ruled, 0.15)],
    repositories: [pick(patterns), ...some(patterns, 0.04)],
    actions: [...(random() < 0.8 ? (['pull'] as const) : []), ...some(['push', 'delete'] as const, 0.5)],
  }))
  return [
    { users: ['ann'], repositories: ['**'], actions: ['pull', 'push', 'delete'] },
    { users: ['bob'], repositories: ['hosted/**', 'open.example/**'], actions: ['pull', 'push'] },
    { users: ['fay'], repositories: ['hosted/local/*'], actions: ['pull'] },
    { users: ['*'], repositories: [pick(patterns)], actions: ['pull'] },
    ...others.filter(({ actions }) => actions.length > 0),
  ]
}

/** Everything is filled by a daemon without access, which uses its credentials for whoever asks; the one under test takes over its data. */
async function openHouse(more: (folder: string) => Promise<Record<string, unknown>>) {
  const folder = await temporaryFolder()
  const locked = new Map<string, Awaited<ReturnType<typeof startLocked>>>()
  for (const [host, { lock }] of Object.entries(upstreams)) locked.set(host, await startLocked(lock, folder))
  const settings = Object.fromEntries(
    [...locked].map(([host, upstream]) => [host, { ...upstream.settings, shared: upstreams[host]?.shared ?? false }]),
  )
  const config = join(folder, 'config.yaml')
  const write = (special: Record<string, unknown>) => {
    const common = {
      upstreams: settings,
      defaultUpstream: 'open.example',
      names: ['registry.test'],
      dockerConfig: 'off',
    }
    return writeFile(config, JSON.stringify({ ...common, ...special }), { mode: 0o600 })
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  onTestFinished(() => agent.destroy())
  const start = async () => {
    const daemon = await startEntrepot({ data: join(folder, 'data'), config })
    const port = Number(new URL(daemon.url).port)
    const send = (method: string, path: string, headers: Record<string, string>, body = '') =>
      ask({ agent, port, method, path, headers }, body)
    return { daemon, send }
  }
  await write({})
  const first = await start()
  const world = await fill(dice, locked, (method, path, body = '', type = 'application/octet-stream') =>
    first.send(method, path, { 'Content-Type': type }, body),
  )
  expect(await first.daemon.stop()).toMatchObject({ code: 0 })
  await write(await more(folder))
  return { world, ...(await start()) }
}

function pieceFor({ digest }: Probe): Piece {
  return pieces.find((piece) => piece.digest === digest) ?? pieceOf('')
}

let notes = 0

/** Method, path below a repository, body and its type. */
function requestFor(probe: Probe): { method: string; rest: string; body?: Piece; type?: string } {
  const { from, digest, route } = probe
  const piece = pieceFor(probe)
  const source = from === undefined ? '' : `&from=${dice.pick(sourceSpellings(from))}`
  if (route === 'mount') return { method: 'POST', rest: `blobs/uploads/?mount=${digest}${source}` }
  if (route === 'claim it')
    return { method: 'POST', rest: `blobs/uploads/?digest=${digest}`, body: pieceOf(dice.pick(['', 'other'])) }
  if (route === 'upload it') return { method: 'POST', rest: `blobs/uploads/?digest=${digest}`, body: piece }
  if (route === 'delete it') return { method: 'DELETE', rest: `blobs/${digest}` }
  if (route === 'name it' || route === 'index it') {
    const note = `pushed ${(notes += 1)}`
    const body = pieceOf(
      route === 'index it' ? indexOver(piece, note) : manifestOver([piece, piece], note, dice.pick([undefined, piece])),
    )
    return { method: 'PUT', rest: `manifests/${body.digest}`, body, type: route === 'index it' ? ociIndex : imageType }
  }
  if (route === 'head') return { method: 'HEAD', rest: `blobs/${digest}` }
  if (route === 'blob' || route === 'range') return { method: 'GET', rest: `blobs/${digest}` }
  if (route === 'manifest') return { method: 'GET', rest: `manifests/${digest}` }
  if (route === 'tag') return { method: 'GET', rest: `manifests/${dice.pick(['1.2.3', '1.x', 'caret-1'])}` }
  if (route === 'referrers') return { method: 'GET', rest: `referrers/${digest}` }
  return { method: 'GET', rest: route === 'tags' ? 'tags/list' : '_entrepot/versions/resolve?range=1.x' }
}

function sourceSpellings(key: string): Names {
  if (key.startsWith('hosted/')) return [key.slice('hosted/'.length)]
  return [key, ...(key.startsWith('open.example/') ? [key.slice('open.example/'.length)] : [])]
}

/** What came beside the status: bytes that are not those, or a list that says more, or less. */
function wrongIn(model: Model, probe: Probe, { status, body, headers }: Reply): string | undefined {
  const { route, digest } = probe
  if (route === 'referrers' && status === 200) {
    const told = new Set(body.match(/(?<="digest":")sha256:[0-9a-f]{64}/g))
    const all = [...referrersOf(model, probe)]
    return all.length === told.size && all.every((one) => told.has(one)) ? undefined : `referrers ${[...told].join()}`
  }
  if ((route === 'blob' || route === 'manifest') && status === 200)
    return digestOf(Buffer.from(body)) === digest ? undefined : 'other bytes'
  if (status < 400 || route === 'head') return undefined
  const leaked = pieces.some(({ text }) => body.includes(text)) || 'docker-content-digest' in headers
  return leaked ? 'bytes or digest in a refusal' : undefined
}

function remember(world: World, { key, digest, route }: Probe, { status }: Reply, body?: Piece): void {
  if (route === 'blob' && status === 200) world.pulled.add(`${key} ${digest}`)
  if ((route === 'mount' || route === 'upload it') && status === 201) world.blobs.get(key)?.add(digest)
  if (route === 'delete it' && status === 202) world.blobs.get(key)?.delete(digest)
  if ((route === 'name it' || route === 'index it') && status === 201 && body) {
    world.manifests.get(key)?.add(body.digest)
    addReferrer(world, key, body)
  }
}

async function probeAll(
  model: Model,
  askers: [string | undefined, ...(string | undefined)[]],
  send: (method: string, path: string, headers: Record<string, string>, body?: string) => Promise<Reply>,
  probes: number,
) {
  const differences: unknown[] = []
  const seen = new Map<string, number>()

  async function one(route: Route): Promise<void> {
    const key = changes.has(route) && dice.random() < 0.8 ? dice.pick(hostedKeys) : dice.pick(keys)
    const from = dice.pick<string | undefined>([undefined, ...keys])
    const probe: Probe = { user: dice.pick(askers), key, from, digest: dice.pick(pieces).digest, route }
    const { method, rest, body, type = 'application/octet-stream' } = requestFor(probe)
    const path = dice.pick(spellings(key, rest))
    const headers = {
      ...(probe.user === undefined ? {} : basic(probe.user, `password of ${probe.user}`)),
      ...(route === 'range' && { Range: 'bytes=1-2' }),
      ...(body && { 'Content-Type': type }),
    }
    const right = expected(model, probe)
    const reply = await send(method, path, headers, body?.text)
    const { status } = reply
    seen.set(`${route} ${status}`, (seen.get(`${route} ${status}`) ?? 0) + 1)
    const wrong = wrongIn(model, probe, reply)
    if (!right.includes(status) || wrong !== undefined)
      differences.push({ ...probe, method, path, status, right, wrong, answer: reply.body.slice(0, 300) })
    remember(model.world, probe, reply, body)
  }

  for (let asked = 0; asked < probes; asked += 16) {
    await Promise.all(Array.from({ length: 13 }, () => one(dice.pick(reads))))
    // One after the other: what a change has done must be known to the model before the next question.
    for (const route of [dice.pick(pushes), dice.pick(pushes), dice.pick(pushes)]) await one(route)
  }
  expect({ seed: dice.seed, differences: differences.slice(0, 5) }).toEqual({ seed: dice.seed, differences: [] })
  return seen
}

test(`with access: 10,000 probes differ nowhere from the model (seed ${dice.seed})`, { timeout: 120_000 }, async () => {
  const rules = rulesAtRandom(dice)
  const { world, send } = await openHouse(async (folder) => {
    const htpasswd = join(folder, 'htpasswd')
    const lines = users.map((user) => `${user}:${cheapHash(`password of ${user}`)}\n`)
    await writeFile(htpasswd, lines.join(''), { mode: 0o600 })
    return { access: { htpasswd, rules } }
  })
  const wrong = ['ann', 'who'].map((user) => send('GET', `/v2/local/a/blobs/${nowhere.digest}`, basic(user, 'wrong')))
  const seen = await probeAll({ world, rules, isLan: false }, [undefined, ...users], send, 10_000)
  for (const reply of await Promise.all(wrong)) expect(reply.status).toBe(401)
  expect(answers.filter((one) => !seen.has(one))).toEqual([])
})

test(`with allowAnonymousLan: 2,000 probes differ nowhere (seed ${dice.seed})`, { timeout: 120_000 }, async () => {
  const { world, send } = await openHouse(async () => ({ allowAnonymousLan: true }))
  const seen = await probeAll({ world, rules: undefined, isLan: true }, [undefined], send, 2_000)
  expect(
    ['blob 200', 'blob 403', 'blob 404', 'mount 201', 'mount 202', 'tags 403'].filter((one) => !seen.has(one)),
  ).toEqual([])
})
