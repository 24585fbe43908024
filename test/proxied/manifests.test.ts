import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import {
  digest,
  drainBlob,
  type House,
  imageType,
  indexType,
  openHouse,
  pushImage,
  repositoryName,
  tag,
} from './house.ts'

const manifests = /\/manifests\//

async function pull(house: House, name: string, tagName: string) {
  const repository = house.repository(name)
  const manifest = await repository.manifest(tag(tagName))
  if (!manifest) throw new Error('no manifest')
  const facts = JSON.parse(Buffer.from(manifest.bytes).toString())
  for (const child of [facts.config, ...facts.layers]) await drainBlob(await repository.blob(digest(child.digest)))
  return manifest
}

describe('a manifest by tag', () => {
  it('comes with the bytes, media type and digest that the upstream gave', async () => {
    const house = await openHouse()
    const pushed = pushImage(house.registry, 'team/app', '1.0', Buffer.from('layer'))
    const manifest = await house.repository('team/app').manifest(tag('1.0'))
    expect(manifest).toMatchObject({ digest: pushed.digest, mediaType: imageType, cache: 'miss' })
    expect(Buffer.from(manifest?.bytes ?? [])).toEqual(pushed.bytes)
  })

  it('costs no upstream call while it is fresh', async () => {
    const house = await openHouse()
    pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    await house.repository('app').manifest(tag('1.0'))
    house.pass(59_000)
    const before = house.registry.calls.length
    const manifest = await house.repository('app').manifest(tag('1.0'))
    expect(manifest).toMatchObject({ cache: 'hit', age: 59 })
    expect(house.registry.calls.length).toBe(before)
  })

  it('costs exactly one HEAD when it is stale and unchanged, however many clients wait', async () => {
    const house = await openHouse()
    pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    await house.repository('app').manifest(tag('1.0'))
    house.pass(61_000)
    const before = house.registry.calls.length
    const answers = await Promise.all(Array.from({ length: 40 }, () => house.repository('app').manifest(tag('1.0'))))
    expect(answers.every((answer) => answer?.cache === 'hit')).toBe(true)
    expect(house.registry.calls.slice(before).map((call) => call.method)).toEqual(['HEAD'])
    await house.repository('app').manifest(tag('1.0'))
    expect(house.registry.calls.length).toBe(before + 1)
  })

  it('is fetched by digest when the tag has moved', async () => {
    const house = await openHouse()
    pushImage(house.registry, 'app', '1.0', Buffer.from('old'))
    await house.repository('app').manifest(tag('1.0'))
    const moved = pushImage(house.registry, 'app', '1.0', Buffer.from('new'))
    house.pass(61_000)
    const before = house.registry.calls.length
    const manifest = await house.repository('app').manifest(tag('1.0'))
    expect(manifest).toMatchObject({ digest: moved.digest, cache: 'miss' })
    expect(house.registry.calls.slice(before).map((call) => `${call.method} ${call.url}`)).toEqual([
      'HEAD /v2/app/manifests/1.0',
      `GET /v2/app/manifests/${moved.digest}`,
    ])
  })

  it('is fetched by tag where the upstream tells no digest on HEAD', async () => {
    const house = await openHouse()
    pushImage(house.registry, 'app', '1.0', Buffer.from('old'))
    await house.repository('app').manifest(tag('1.0'))
    const moved = pushImage(house.registry, 'app', '1.0', Buffer.from('new'))
    house.registry.misbehave({ method: 'HEAD', path: manifests }, (_request, response) => {
      response.writeHead(200, { 'content-type': imageType }).end()
    })
    house.pass(61_000)
    expect(await house.repository('app').manifest(tag('1.0'))).toMatchObject({ digest: moved.digest })
  })

  it('asks with the full Accept set and no encoding', async () => {
    const house = await openHouse()
    pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    await house.repository('app').manifest(tag('1.0'))
    const headers = house.registry.calls.at(-1)?.headers
    expect(headers?.accept).toContain('application/vnd.oci.image.index.v1+json')
    expect(headers?.accept).toContain('application/vnd.docker.distribution.manifest.list.v2+json')
    expect(headers?.['accept-encoding']).toBe('identity')
  })

  it('asked for by many at once costs one GET', async () => {
    const house = await openHouse()
    pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    const answers = await Promise.all(Array.from({ length: 30 }, () => house.repository('app').manifest(tag('1.0'))))
    expect(answers.filter((answer) => answer?.cache === 'miss').length).toBe(1)
    expect(answers.filter((answer) => answer?.cache === 'joined').length).toBe(29)
    expect(house.registry.count('GET', manifests)).toBe(1)
  })

  it('that does not exist is absent, and that is remembered for 10 s', async () => {
    const house = await openHouse()
    expect(await house.repository('app').manifest(tag('1.0'))).toBeUndefined()
    expect(await house.repository('app').manifest(tag('1.0'))).toBeUndefined()
    expect(house.registry.count('GET', manifests)).toBe(1)
    pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    house.pass(10_001)
    expect(await house.repository('app').manifest(tag('1.0'))).toMatchObject({ cache: 'miss' })
  })
})

describe('a manifest by digest', () => {
  it('needs the upstream once', async () => {
    const house = await openHouse()
    const pushed = pushImage(house.registry, 'app', undefined, Buffer.from('layer'))
    await house.repository('app').manifest({ digest: pushed.digest })
    house.pass(365 * 24 * 3_600_000)
    await house.registry.close()
    expect(await house.repository('app').manifest({ digest: pushed.digest })).toMatchObject({ cache: 'hit' })
  })

  it('of another repository is not readable before its own upstream has answered for it', async () => {
    const house = await openHouse()
    const pushed = pushImage(house.registry, 'app', undefined, Buffer.from('layer'))
    await house.repository('app').manifest({ digest: pushed.digest })
    expect(await house.repository('other').manifest({ digest: pushed.digest })).toBeUndefined()
    expect(house.registry.count('GET', /\/v2\/other\/manifests\//)).toBe(1)
  })

  it('with other bytes is refused and not kept', async () => {
    const house = await openHouse()
    const pushed = pushImage(house.registry, 'app', undefined, Buffer.from('layer'))
    const stop = house.registry.misbehave({ method: 'GET', path: manifests }, (_request, response) => {
      const body = Buffer.from(pushed.bytes)
      body[5] = (body[5] ?? 0) ^ 1
      response.writeHead(200, { 'content-type': imageType, 'content-length': body.length }).end(body)
    })
    await expect(house.repository('app').manifest({ digest: pushed.digest })).rejects.toMatchObject({
      status: 502,
      trouble: 'wrong',
    })
    stop()
    expect(await house.repository('app').manifest({ digest: pushed.digest })).toMatchObject({ cache: 'miss' })
  })

  it('larger than 16 KiB is a file, and comes back after the memory has gone', async () => {
    const house = await openHouse()
    const bytes = JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { note: 'x'.repeat(30_000) } })
    const pushed = house.registry.putManifest('app', 'big', bytes, indexType)
    await house.repository('app').manifest(tag('big'))
    expect(await house.catalog.blob(pushed)).toMatchObject({ place: 'file', size: bytes.length })
    const source = await house.catalog.open(pushed)
    await source?.close()
    expect(source?.size).toBe(bytes.length)
  })

  it('with a sha512 digest is kept under it', async () => {
    const house = await openHouse()
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [] }))
    const sha512 = digestOf(bytes, 'sha512')
    house.registry.misbehave({ path: manifests }, (_request, response) => {
      response.writeHead(200, { 'content-type': indexType, 'content-length': bytes.length }).end(bytes)
    })
    expect(await house.repository('app').manifest({ digest: sha512 })).toMatchObject({ digest: sha512 })
  })
})

describe('an upstream in trouble', () => {
  it('that is silent costs a client 3 s, and for the next 10 s nothing', async () => {
    const house = await openHouse({ deadline: 50 })
    pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    await pull(house, 'app', '1.0')
    house.pass(61_000)
    house.registry.misbehave({}, async (request) => void (await once(request.socket, 'close')))
    const first = await house.repository('app').manifest(tag('1.0'))
    expect(first).toMatchObject({ cache: 'stale', age: 61 })
    expect(first?.warning).toContain('upstream.test')
    const before = house.registry.calls.length
    house.pass(9_000)
    expect(await house.repository('app').manifest(tag('1.0'))).toMatchObject({ cache: 'stale', age: 70 })
    expect(house.registry.calls.length).toBe(before)
  })

  it('that cannot complete an image is a 504, not a manifest that the client is stuck with', async () => {
    const house = await openHouse({ deadline: 50 })
    pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    await house.repository('app').manifest(tag('1.0'))
    house.pass(61_000)
    await house.registry.close()
    await expect(house.repository('app').manifest(tag('1.0'))).rejects.toMatchObject({ status: 504 })
  })

  it('that names another digest than it sends is not believed', async () => {
    const house = await openHouse()
    const pushed = pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    house.registry.misbehave({ method: 'GET', path: manifests }, (_request, response) => {
      response.writeHead(200, {
        'content-type': imageType,
        'docker-content-digest': digestOf(Buffer.from('something else')),
      })
      response.end(pushed.bytes)
    })
    await expect(house.repository('app').manifest(tag('1.0'))).rejects.toMatchObject({ trouble: 'wrong' })
  })
})

describe('a manifest that is asked for twice', () => {
  it('by digest, by one who looked before it was kept, needs the upstream once', async () => {
    const house = await openHouse()
    const pushed = pushImage(house.registry, 'app', undefined, Buffer.from('layer'))
    const looked = Promise.withResolvers<void>()
    let slow = true
    const repository = house.proxied({
      catalog: {
        ...house.catalog,
        async manifest(key, asked) {
          const isFirst = slow
          slow = false
          const found = await house.catalog.manifest(key, asked)
          if (isFirst) await looked.promise
          return found
        },
      },
    })('app')
    const late = repository.manifest({ digest: pushed.digest })
    await repository.manifest({ digest: pushed.digest })
    looked.resolve()
    expect(await late).toMatchObject({ digest: pushed.digest, cache: 'hit' })
    expect(house.registry.count('GET', manifests)).toBe(1)
  })

  it('and told to be unchanged keeps the time at which it last changed', async () => {
    const house = await openHouse()
    pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    const record = () => house.catalog.tag({ origin: 'upstream.test', name: repositoryName('app') }, tag('1.0').tag)
    await house.repository('app').manifest(tag('1.0'))
    const first = await record()
    house.pass(61_000)
    await house.repository('app').manifest(tag('1.0'))
    house.registry.misbehave({ method: 'HEAD', path: manifests }, (_request, response) => {
      response.writeHead(200, { 'content-type': imageType }).end()
    })
    house.pass(61_000)
    await house.repository('app').manifest(tag('1.0'))
    const last = await record()
    expect(last?.changedAt).toBe(first?.changedAt)
    expect(last?.checkedAt).toBeGreaterThan((first?.checkedAt ?? 0) + 120_000)
  })
})

describe('a kept manifest', () => {
  it("that was proved with a private credential is not the LAN's, nor are the tags that name it", async () => {
    const house = await openHouse({ credentials: async () => ({ identity: 'config:me', username: 'me' }) })
    pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    await pull(house, 'app', '1.0')
    const lan = house.proxied({ allowAnonymousLan: true, offline: true })('app')
    await expect(lan.manifest(tag('1.0'))).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    await expect(lan.tags()).rejects.toMatchObject({ code: 'NAME_UNKNOWN' })
    const shared = house.proxied({ allowAnonymousLan: true, shared: true, offline: true })('app')
    expect([await lan.knows(tag('1.0').tag), await shared.knows(tag('1.0').tag)]).toEqual([false, true])
    // The layer is committed after the client has it.
    const shownTags = () =>
      shared.tags().then(
        (list) => list?.items,
        () => [],
      )
    await expect.poll(shownTags).toEqual(['1.0'])
  })

  it('that the LAN has proved for itself since is its own', async () => {
    const house = await openHouse({ credentials: async () => ({ identity: 'config:me', username: 'me' }) })
    const pushed = pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    await house.repository('app').manifest({ digest: pushed.digest })
    const anonymous = house.connect('upstream.test', house.registry)
    const lan = house.proxied({ allowAnonymousLan: true }, anonymous)('app')
    expect(await lan.manifest({ digest: pushed.digest })).toMatchObject({ cache: 'miss' })
    expect(await lan.manifest({ digest: pushed.digest })).toMatchObject({ cache: 'hit' })
  })

  it('that has gone from the disk is fetched again, by tag and by digest', async () => {
    const house = await openHouse()
    const pushed = pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    await house.repository('app').manifest(tag('1.0'))
    await house.catalog.forget(pushed.digest)
    expect(await house.repository('app').manifest(tag('1.0'))).toMatchObject({ digest: pushed.digest, cache: 'miss' })
    await house.catalog.forget(pushed.digest)
    expect(await house.repository('app').manifest({ digest: pushed.digest })).toMatchObject({ cache: 'miss' })
  })

  it('is served although nothing can be written: neither the tag nor what came', async () => {
    const house = await openHouse()
    pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
    await house.repository('app').manifest(tag('1.0'))
    const full = () => Promise.reject(new Error('disk full'))
    const repository = house.proxied({ catalog: { ...house.catalog, setTag: full, keep: full, setTags: full } })('app')
    house.pass(61_000)
    expect(await repository.manifest(tag('1.0'))).toMatchObject({ cache: 'hit', age: 0 })
    const moved = pushImage(house.registry, 'app', '1.0', Buffer.from('new'))
    expect(await repository.manifest(tag('1.0'))).toMatchObject({ digest: moved.digest })
    expect((await repository.tags())?.items).toEqual(['1.0'])
    expect(house.warnings.length).toBeGreaterThan(2)
  })
})
