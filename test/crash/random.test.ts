import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Digest } from '../../src/oci/digest.ts'
import { configFor, type Entrepot, startEntrepot, temporaryFolder } from '../daemon/entrepot.ts'
import { pull } from '../daemon/pulling.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { imageManifest, imageType, noise } from './content.ts'
import { inspectKept } from './kept.ts'
import { createRandom, type Random } from './random.ts'

const rounds = 100
/** ms of load before the kill, at most. */
const longestLoad = 400
const clients = 6
/** Of what was answered as a hit in earlier rounds, so many are asked for again after each start; all of it after the last. */
const sample = 20

let upstream: ScriptedRegistry
beforeAll(async () => {
  upstream = await startScriptedRegistry()
})
afterAll(() => upstream.close())

/** A path below the repository by digest -> that digest. */
type Hits = Map<string, Digest>

/** What one round's clients may ask for: fresh blobs of all sizes, an image over them, and the tag that moves to it. */
function publish(seed: string, round: number, random: Random): string[] {
  const sizes = [
    ...Array.from({ length: 14 }, () => random.below(16 * 1024)),
    ...Array.from({ length: 8 }, () => random.below(256 * 1024)),
    ...Array.from({ length: 2 }, () => 1024 * 1024 + random.below(1024 * 1024)),
  ]
  const layers = sizes.map((size, index) => {
    const bytes = noise(`${seed} ${round} ${index}`, size)
    return { digest: upstream.putBlob('app', bytes), size }
  })
  const padding = random.below(2) === 0 ? 0 : 40_000
  const digest = upstream.putManifest(
    'app',
    'moving',
    imageManifest(random.sample(layers, layers.length), padding),
    imageType,
  )
  const other = upstream.putManifest('app', `v${round}`, imageManifest(layers.slice(round % 5), padding), imageType)
  const manifests = ['moving', `v${round}`, digest, other].map((reference) => `manifests/${reference}`)
  return [...layers.map((layer) => `blobs/${layer.digest}`), ...manifests, ...manifests]
}

/** Clients that pull until the daemon dies; each digest that is answered as a hit is noted, once all its bytes are here. */
async function load(daemon: Entrepot, paths: string[], seed: string, hits: Hits): Promise<void> {
  const over = new AbortController()
  void daemon.ended.then(() => over.abort())
  const client = async (_: unknown, index: number) => {
    const random = createRandom(`${seed} ${index}`)
    let path = random.pick(paths)
    for (let turn = 0; !over.signal.aborted; turn += 1) {
      // Each twice in a row: the second is a hit when the first has been kept.
      if (turn % 2 === 0) path = random.pick(paths)
      const pulled = await pull(`${daemon.url}/v2/up.example/app/${path}`).catch(() => undefined)
      if (pulled?.status !== 200) continue
      expect(pulled.said).toBe(pulled.digest)
      if (pulled.cache === 'hit')
        hits.set(path.replace(/^(manifests)\/.*/, `$1/${pulled.digest}`), pulled.digest as Digest)
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
}

/** Each is served as a hit while the upstream would break every connection, and is whole. */
async function expectServed(daemon: Entrepot, hits: [string, Digest][]): Promise<void> {
  const calls = upstream.calls.length
  const allow = upstream.misbehave({}, (request) => void request.socket.destroy())
  const left = [...hits]
  const client = async () => {
    for (let next = left.pop(); next; next = left.pop()) {
      const [path, digest] = next
      const pulled = await pull(`${daemon.url}/v2/up.example/app/${path}`)
      expect({ path, ...pulled }).toMatchObject({ status: 200, cache: 'hit', digest, said: digest })
    }
  }
  try {
    await Promise.all(Array.from({ length: clients }, client))
  } finally {
    allow()
  }
  expect(upstream.calls.length).toBe(calls)
}

test(
  `killed at ${rounds} random moments under load, it serves every digest that it ever answered as a hit`,
  { timeout: 300_000 },
  async () => {
    const seed = process.env['ENTREPOT_TEST_SEED'] ?? randomBytes(8).toString('hex')
    console.log(`ENTREPOT_TEST_SEED=${seed}`)
    const folder = await temporaryFolder()
    const config = await configFor(folder, upstream, { freshFor: '20ms' })
    const data = join(folder, 'data')
    const hits: Hits = new Map()
    let killedUnderLoad = 0
    const options = { data, config }
    await (await startEntrepot(options)).stop()

    let latest: Hits = new Map()
    for (let round = 0; round < rounds; round += 1) {
      const random = createRandom(`${seed} ${round}`)
      const daemon = await startEntrepot(options)
      await expectServed(daemon, [...latest, ...random.sample([...hits], sample)])
      for (const [path, digest] of latest) hits.set(path, digest)
      latest = new Map()
      const calls = upstream.calls.length
      const loading = load(daemon, publish(seed, round, random), `${seed} ${round}`, latest)
      setTimeout(() => daemon.signal('SIGKILL'), random.below(longestLoad))
      expect(await daemon.ended).toMatchObject({ signal: 'SIGKILL', stderr: '' })
      await loading
      if (upstream.calls.length > calls) killedUnderLoad += 1
    }

    const last = await startEntrepot(options)
    for (const [path, digest] of latest) hits.set(path, digest)
    await expectServed(last, [...hits])
    await last.logged(/reconciled files/)
    expect(await last.stop()).toMatchObject({ code: 0, stderr: '' })
    expect(await inspectKept(data)).toMatchObject({ orphans: [], damaged: [], unlinked: [] })
    console.log(
      `${hits.size} digests were answered as a hit; ${killedUnderLoad} of ${rounds} kills met calls to the upstream`,
    )
    expect(killedUnderLoad).toBeGreaterThan(rounds / 2)
    expect(hits.size).toBeGreaterThan(rounds)
  },
)
