/** Repositories that are pushed into until the daemon dies, and what they must hold then. */
import { expect } from 'vitest'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import type { Entrepot } from '../daemon/entrepot.ts'
import { pull } from '../daemon/pulling.ts'
import { imageManifest, noise } from './content.ts'
import { createPusher, type Pusher } from './pushing.ts'
import { createRandom, type Random } from './random.ts'

/** What one repository must hold, as far as its only client was answered. */
export interface Shelf {
  name: string
  /** A tag's manifest; `undefined` where its delete was answered. */
  tags: Map<string, Digest | undefined>
  /** What was under way when the daemon died may be done or not. */
  doubtful?: { tag: string; wanted: Digest | undefined } | undefined
  blobs: Set<Digest>
}

export function emptyShelves(count: number): Shelf[] {
  return Array.from({ length: count }, (_, index): Shelf => ({
    name: `local/app${index}`,
    tags: new Map(),
    blobs: new Set(),
  }))
}

/** Pushes blobs, images that move tags, and deletes tags, one after the other, until the daemon dies. */
export async function load(daemon: Entrepot, shelf: Shelf, seed: string): Promise<number> {
  const pusher = createPusher(`${daemon.url}/v2/${shelf.name}`)
  const random = createRandom(seed)
  for (let turn = 0; ; turn += 1) {
    const tag = `v${random.below(8)}`
    if (random.below(5) === 0 && shelf.tags.get(tag) !== undefined) {
      shelf.doubtful = { tag, wanted: undefined }
      if ((await pusher.delete(`manifests/${tag}`)) !== 202) return turn
      shelf.tags.set(tag, undefined)
    } else if (!(await pushImage(pusher, shelf, { tag, seed: `${seed} ${turn}`, random }))) return turn
    shelf.doubtful = undefined
  }
}

async function pushImage(pusher: Pusher, shelf: Shelf, image: { tag: string; seed: string; random: Random }) {
  const layer = noise(image.seed, 1 + image.random.below(image.random.below(4) === 0 ? 200_000 : 10_000))
  const digest = digestOf(layer)
  if ((await pusher.blob(layer)) !== 201) return false
  shelf.blobs.add(digest)
  const manifest = imageManifest([{ digest, size: layer.length }], image.random.below(20_000))
  const wanted = digestOf(Buffer.from(manifest))
  shelf.doubtful = { tag: image.tag, wanted }
  if ((await pusher.manifest(image.tag, manifest)) !== 201) return false
  shelf.tags.set(image.tag, wanted)
  return true
}

/** Every tag is where its last answered push left it, or where the one after that wanted it; blobs are whole. */
export async function expectHeld(daemon: Entrepot, shelf: Shelf, blobs: Digest[]): Promise<void> {
  const url = `${daemon.url}/v2/${shelf.name}`
  const { doubtful } = shelf
  for (const tag of new Set([...shelf.tags.keys(), ...(doubtful ? [doubtful.tag] : [])])) {
    const { status, digest } = await pull(`${url}/manifests/${tag}`)
    const found = status === 200 ? digest : undefined
    const expected = [shelf.tags.get(tag), ...(doubtful?.tag === tag ? [doubtful.wanted] : [])]
    expect({ tag, found, expected: expected.includes(found as Digest) }).toMatchObject({ expected: true })
    shelf.tags.set(tag, found as Digest | undefined)
  }
  shelf.doubtful = undefined
  const present = [...shelf.tags].filter(([, digest]) => digest !== undefined).map(([tag]) => tag)
  expect(await createPusher(url).tags()).toEqual(present.toSorted())
  for (const digest of blobs) {
    expect(await pull(`${url}/blobs/${digest}`)).toMatchObject({ status: 200, digest, said: digest })
  }
}
