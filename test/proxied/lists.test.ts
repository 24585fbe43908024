import { describe, expect, it } from 'vitest'
import { digest, drainBlob, indexType, openHouse, pushImage, tag } from './house.ts'

const lists = /\/tags\/list/
const referrers = /\/referrers\//

describe('tags', () => {
  it('are the complete list of the upstream, kept while it is fresh', async () => {
    const house = await openHouse()
    for (const name of ['1.0', '1.1', 'latest']) pushImage(house.registry, 'app', name, Buffer.from(name))
    expect(await house.repository('app').tags()).toMatchObject({ items: ['1.0', '1.1', 'latest'], cache: 'miss' })
    house.pass(299_000)
    expect(await house.repository('app').tags()).toMatchObject({ cache: 'hit', age: 299 })
    expect(house.registry.count('GET', lists)).toBe(1)
    house.pass(2_000)
    await house.repository('app').tags()
    expect(house.registry.count('GET', lists)).toBe(2)
  })

  it('are the last known ones, marked stale, when the upstream is in trouble', async () => {
    const house = await openHouse()
    pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    await house.repository('app').tags()
    house.pass(301_000)
    house.registry.misbehave({}, (_request, response) => void response.writeHead(503).end())
    const listing = await house.repository('app').tags()
    expect(listing).toMatchObject({ items: ['1.0'], cache: 'stale', age: 301 })
    expect(listing?.warning).toContain('upstream.test')
  })

  it('offline are those whose closure is complete', async () => {
    const house = await openHouse()
    const whole = pushImage(house.registry, 'app', 'whole', Buffer.from('whole'))
    pushImage(house.registry, 'app', 'half', Buffer.from('half'))
    const repository = house.repository('app')
    await repository.manifest(tag('whole'))
    await repository.manifest(tag('half'))
    const facts = JSON.parse(whole.bytes.toString())
    for (const blob of [facts.config, ...facts.layers]) await drainBlob(await repository.blob(digest(blob.digest)))
    const before = house.registry.calls.length
    await expect.poll(async () => (await house.proxied({ offline: true })('app').tags())?.items).toEqual(['whole'])
    await expect(house.proxied({ offline: true })('other').tags()).rejects.toMatchObject({ status: 404 })
    expect(house.registry.calls.length).toBe(before)
  })
})

describe('referrers', () => {
  it('are what the upstream lists, and kept for when it is gone', async () => {
    const house = await openHouse({ referrers: true })
    const subject = pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    const signature = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      artifactType: 'application/vnd.example.signature',
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: house.registry.putBlob('app', '{}'), size: 2 },
      layers: [],
      subject: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: subject.digest, size: 1 },
    })
    house.registry.putManifest('app', undefined, signature, 'application/vnd.oci.image.manifest.v1+json')
    const listing = await house.repository('app').referrers(subject.digest)
    expect(await Array.fromAsync(listing?.items ?? [])).toMatchObject([
      { artifactType: 'application/vnd.example.signature' },
    ])
    house.pass(61_000)
    house.registry.misbehave({}, (request) => void request.socket.destroy())
    const stale = await house.repository('app').referrers(subject.digest)
    expect(stale).toMatchObject({ cache: 'stale' })
    expect(await Array.fromAsync(stale?.items ?? [])).toHaveLength(1)
  })

  it('of an upstream without the API are absent, and that is remembered for 10 min', async () => {
    const house = await openHouse()
    const subject = pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    expect(await house.repository('app').referrers(subject.digest)).toBeUndefined()
    house.pass(599_000)
    expect(await house.repository('app').referrers(subject.digest)).toBeUndefined()
    expect(house.registry.count('GET', referrers)).toBe(1)
    house.pass(2_000)
    await house.repository('app').referrers(subject.digest)
    expect(house.registry.count('GET', referrers)).toBe(2)
  })

  it('of an upstream without the API stay absent in an outage and after a restart, so that kept tags of the tag schema are used', async () => {
    const house = await openHouse()
    const subject = pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    await house.repository('app').referrers(subject.digest)
    house.registry.misbehave({}, (request) => void request.socket.destroy())
    house.pass(601_000)
    expect(await house.repository('app').referrers(subject.digest)).toBeUndefined()
    expect(await house.proxied({ offline: true })('app').referrers(subject.digest)).toBeUndefined()
    await expect(house.repository('app').referrers(digest(`sha256:${'0'.repeat(64)}`))).rejects.toMatchObject({
      trouble: 'unreachable',
    })
  })

  it('in an outage are an error, never "there are none"', async () => {
    const house = await openHouse({ referrers: true })
    const subject = pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    house.registry.misbehave({}, (_request, response) => void response.writeHead(500).end())
    await expect(house.repository('app').referrers(subject.digest)).rejects.toMatchObject({ trouble: 'unreachable' })
  })

  it('by the tag schema work as any tag does', async () => {
    const house = await openHouse()
    const subject = pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    const fallback = subject.digest.replace(':', '-')
    house.registry.putManifest('app', fallback, JSON.stringify({ schemaVersion: 2, manifests: [] }), indexType)
    expect(await house.repository('app').manifest(tag(fallback))).toMatchObject({ mediaType: indexType })
  })
})
