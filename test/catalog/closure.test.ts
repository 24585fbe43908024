import { describe, expect, it } from 'vitest'
import { edgesOf, isComplete, isTagComplete } from '../../src/catalog/closure.ts'
import type { Edge, EdgesRecord } from '../../src/catalog/records.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { readManifest } from '../../src/oci/manifest.ts'
import { keepingOf, openShelf, repository, type Shelf } from './shelf.ts'

const app = repository('app')
const indexType = 'application/vnd.oci.image.index.v1+json'
const edge = (digest: Digest, more: Partial<Edge> = {}): Edge => ({
  digest,
  size: 1,
  needed: true,
  runnable: true,
  ...more,
})

async function blob(shelf: Shelf, text: string, name = 'app'): Promise<Digest> {
  const keeping = keepingOf(Buffer.from(text), { repository: repository(name) })
  await shelf.catalog.keep(keeping)
  return keeping.digest
}

async function manifest(shelf: Shelf, text: string, edges?: EdgesRecord, credential = 'anonymous'): Promise<Digest> {
  const keeping = keepingOf(Buffer.from(text), { kind: 'manifest', credential })
  await shelf.catalog.keep({ ...keeping, edges })
  return keeping.digest
}

const absent = digestOf(Buffer.from('absent'))

describe('a closure', () => {
  it('of an image is complete with its config and layers, not without one of them', async () => {
    const shelf = await openShelf()
    const config = await blob(shelf, 'config')
    const layer = await blob(shelf, 'layer')
    const whole = await manifest(shelf, 'whole', { kind: 'image', children: [edge(config), edge(layer)] })
    const lacking = await manifest(shelf, 'lacking', { kind: 'image', children: [edge(config), edge(absent)] })
    expect(await isComplete(shelf.catalog, app, whole)).toBe(true)
    expect(await isComplete(shelf.catalog, app, lacking)).toBe(false)
    await shelf.catalog.forget(layer)
    expect(await isComplete(shelf.catalog, app, whole)).toBe(false)
  })

  it('needs each part linked in this repository, whoever else has it', async () => {
    const shelf = await openShelf()
    const layer = await blob(shelf, 'layer', 'other')
    const image = await manifest(shelf, 'image', { kind: 'image', children: [edge(layer)] })
    expect(await isComplete(shelf.catalog, app, image)).toBe(false)
    expect(await isComplete(shelf.catalog, repository('other'), image)).toBe(false)
  })

  it('of an artifact is complete with one layer: Helm leaves the provenance, oras the empty config, cosign a config', async () => {
    const shelf = await openShelf()
    const chart = await blob(shelf, 'chart')
    const read = (config: string, layers: Digest[], layerType = 'application/vnd.example.layer') => {
      const descriptor = (digest: Digest, mediaType: string) => ({ mediaType, digest, size: 1 })
      const document = {
        schemaVersion: 2,
        config: descriptor(absent, config),
        layers: layers.map((layer) => descriptor(layer, layerType)),
      }
      const type = 'application/vnd.oci.image.manifest.v1+json'
      return edgesOf(readManifest(Buffer.from(JSON.stringify(document)), type))
    }
    const helm = 'application/vnd.cncf.helm.config.v1+json'
    const pulled = await manifest(shelf, 'pulled', read(helm, [absent, chart]))
    const unpulled = await manifest(shelf, 'unpulled', read(helm, [absent]))
    const container = 'application/vnd.oci.image.config.v1+json'
    const image = await manifest(
      shelf,
      'image',
      read(container, [chart], 'application/vnd.oci.image.layer.v1.tar+gzip'),
    )
    expect(await isComplete(shelf.catalog, app, pulled)).toBe(true)
    expect(await isComplete(shelf.catalog, app, unpulled)).toBe(false)
    expect(await isComplete(shelf.catalog, app, image)).toBe(false)
    const simpleSigning = 'application/vnd.dev.cosign.simplesigning.v1+json'
    const signature = await manifest(shelf, 'signature', read(container, [chart], simpleSigning))
    expect(await isComplete(shelf.catalog, app, signature)).toBe(true)
  })

  it('of a list of referrers is itself: it is read, not pulled', async () => {
    const shelf = await openShelf()
    const list = await manifest(shelf, 'list', { kind: 'index', children: [edge(absent)] })
    const tag = (text: string) => text as Parameters<typeof isTagComplete>[2]
    expect(await isTagComplete(shelf.catalog, app, tag(absent.replace(':', '-')), list)).toBe(true)
    expect(await isTagComplete(shelf.catalog, app, tag('1.0'), list)).toBe(false)
    expect(await isTagComplete(shelf.catalog, repository('other'), tag(absent.replace(':', '-')), list)).toBe(false)
  })

  it('is complete without foreign layers', async () => {
    const shelf = await openShelf()
    const image = await manifest(shelf, 'image', { kind: 'image', children: [edge(absent, { needed: false })] })
    expect(await isComplete(shelf.catalog, app, image)).toBe(true)
  })

  it('of an index is complete with one platform, of a nested one too, but not with an attestation', async () => {
    const shelf = await openShelf()
    const layer = await blob(shelf, 'layer')
    const amd64 = await manifest(shelf, 'amd64', { kind: 'image', children: [edge(layer)] })
    const attestation = await manifest(shelf, 'attestation', { kind: 'image', children: [edge(layer)] })
    const attested = { kind: 'index', children: [edge(absent), edge(attestation, { runnable: false })] } as const
    const alone = await manifest(shelf, 'alone', { ...attested, children: [...attested.children] })
    const index = await manifest(shelf, 'index', { kind: 'index', children: [edge(absent), edge(amd64)] })
    const nested = await manifest(shelf, 'nested', { kind: 'index', children: [edge(alone), edge(index)] })
    expect(await isComplete(shelf.catalog, app, alone)).toBe(false)
    expect(await isComplete(shelf.catalog, app, index)).toBe(true)
    expect(await isComplete(shelf.catalog, app, nested)).toBe(true)
  })

  it('that hides what this client must not see is not complete', async () => {
    const shelf = await openShelf()
    const image = await manifest(shelf, 'image', { kind: 'image', children: [] }, 'config:me')
    expect(await isComplete(shelf.catalog, app, image, (link) => link.credential === 'anonymous')).toBe(false)
    expect(await isComplete(shelf.catalog, app, image)).toBe(true)
  })

  it('of indexes that name each other in 2^40 ways is looked at once', async () => {
    const shelf = await openShelf()
    let next = absent
    for (let level = 0; level < 40; level += 1) {
      next = await manifest(shelf, `level ${level}`, { kind: 'index', children: [edge(next), edge(next)] })
    }
    expect(await isComplete(shelf.catalog, app, next)).toBe(false)
  })
})

describe('edges', () => {
  it('say what is needed and what somebody runs', () => {
    const descriptor = (text: string) => ({ mediaType: 'application/x', digest: digestOf(Buffer.from(text)), size: 1 })
    const index = {
      schemaVersion: 2,
      manifests: [
        { ...descriptor('a'), platform: { os: 'linux', architecture: 'amd64' } },
        { ...descriptor('b'), platform: { os: 'unknown', architecture: 'unknown' } },
        descriptor('c'),
      ],
    }
    const edges = edgesOf(readManifest(Buffer.from(JSON.stringify(index)), indexType))
    expect(edges?.children.map((child) => child.runnable)).toEqual([true, false, true])
    expect(edgesOf(readManifest(Buffer.from('anything'), 'application/vnd.example'))).toBeUndefined()
  })
})
