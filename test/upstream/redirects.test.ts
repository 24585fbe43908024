import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Digest } from '../../src/oci/digest.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { parseName, parseTag } from '../../src/oci/name.ts'
import type { Authorizer } from '../../src/upstream/authorizer.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'
import { issueCertificate } from '../support/certificates.ts'
import { openUpstream } from '../support/open-upstream.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { caught } from './caught.ts'

const name = parseName('org/app') ?? expect.fail('no name')
const tag = parseTag('latest') ?? expect.fail('no tag')
const bytes = Buffer.from('the bytes of a blob')
const canary = 'Bearer canary-token'
const blobPath = /\/blobs\//
const open: { close(): Promise<void> }[] = []

let registry: ScriptedRegistry
let cdn: ScriptedRegistry
let upstream: Upstream
let digest: Digest

const withCanary: Authorizer = {
  identity: async () => 'config:me',
  header: async () => canary,
  answer: async () => 'Bearer another',
}

beforeEach(async () => {
  registry = await started()
  cdn = await started()
  digest = cdn.putBlob('cdn', bytes)
  upstream = clientOf(registry, [cdn.host])
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

async function started(...options: Parameters<typeof startScriptedRegistry>): Promise<ScriptedRegistry> {
  const server = await startScriptedRegistry(...options)
  open.push(server)
  return server
}

function clientOf(server: ScriptedRegistry, redirectHosts: string[], ca?: string): Upstream {
  const privateHosts = [server.host, ...redirectHosts]
  const tls = ca === undefined ? {} : { tls: { ca } }
  const client = openUpstream(server.url, { authorizer: withCanary, connector: { privateHosts, ...tls } })
  open.push(client)
  return client
}

function redirect(server: ScriptedRegistry, location: string | undefined, status = 307, path = blobPath): () => void {
  return server.misbehave({ path }, (_request, response) => {
    response.writeHead(status, location === undefined ? {} : { Location: location }).end()
  })
}

function onCdn(query = ''): string {
  return `${cdn.url}/v2/cdn/blobs/${digest}${query}`
}

async function read(body: AsyncIterable<Uint8Array> | undefined): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body ?? []) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

describe('a redirect to another host', () => {
  it.each([301, 302, 303, 307, 308])('by %i is followed without what was meant for upstream alone', async (status) => {
    redirect(registry, onCdn('?sig=1'), status)
    const transfer = await upstream.getBlob(name, digest)
    expect(await read(transfer?.body)).toBe(bytes.toString())
    expect(registry.calls[0]?.headers.authorization).toBe(canary)
    expect(Object.keys(cdn.calls[0]?.headers ?? {}).toSorted()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'host',
      'user-agent',
    ])
  })

  it('keeps the method HEAD', async () => {
    redirect(registry, onCdn(), 303)
    expect(await upstream.headBlob(name, digest)).toEqual({ size: bytes.length })
    expect(cdn.calls.map(({ method }) => method)).toEqual(['HEAD'])
  })

  it('keeps the Range of a resumed transfer', async () => {
    redirect(registry, onCdn())
    const transfer = await upstream.getBlob(name, digest, { from: 4 })
    expect(transfer).toMatchObject({ from: 4, size: bytes.length })
    expect(await read(transfer?.body)).toBe(bytes.subarray(4).toString())
  })

  it('is looked up again for every transfer, because a signed URL expires', async () => {
    redirect(registry, onCdn('?sig=1'))
    await read((await upstream.getBlob(name, digest))?.body)
    await read((await upstream.getBlob(name, digest))?.body)
    expect(registry.count('GET', blobPath)).toBe(2)
  })

  it.each([404, 403, 401])('that ends in %i there does not say that the blob does not exist', async (status) => {
    redirect(registry, onCdn('?sig=canary'))
    cdn.misbehave({}, (_request, response) => {
      response.writeHead(status, { 'WWW-Authenticate': 'Basic realm="give me the password"' }).end()
    })
    const error = await caught(upstream.getBlob(name, digest))
    expect(error.trouble).toBe(status === 404 ? 'wrong' : 'denied')
    expect(error.detail).toContain(cdn.host)
    expect(error.detail).not.toContain('canary')
    expect(cdn.calls).toHaveLength(1)
  })

  it('with the same address and another port is another host', async () => {
    redirect(registry, '/v2/elsewhere')
    registry.misbehave({ path: /elsewhere/ }, (_request, response) => {
      response.writeHead(302, { Location: onCdn() }).end()
    })
    await read((await upstream.getBlob(name, digest))?.body)
    expect(registry.calls.map(({ headers }) => headers.authorization)).toEqual([canary, canary])
    expect(cdn.calls[0]?.headers.authorization).toBeUndefined()
  })

  it('and back again does not bring the credentials back', async () => {
    redirect(registry, `${cdn.url}/bounce`)
    redirect(cdn, `${registry.url}/back`, 307, /bounce/)
    expect(await upstream.getBlob(name, digest)).toBeUndefined()
    expect(registry.calls.map(({ headers }) => headers.authorization)).toEqual([canary, undefined])
  })

  it('with a private address is refused unless the configuration names the host', async () => {
    redirect(registry, onCdn('?sig=canary'))
    const error = await caught(clientOf(registry, []).getBlob(name, digest))
    expect(error).toMatchObject({ trouble: 'wrong', status: 502 })
    expect(error.detail).toContain('redirectHosts')
    expect(cdn.connections()).toBe(0)
    expect(registry.calls).toHaveLength(1)
  })
})

describe('a redirect that is not followed', () => {
  it.each([
    ['has no Location', undefined],
    ['has a Location that is no URL', 'http://'],
    ['leads to a file', 'file:///etc/passwd'],
    ['leads to data', 'data:,x'],
    ['leads to itself', 'self'],
  ])('%s, and ends as wrong', async (_what, location) => {
    redirect(registry, location)
    expect(await caught(upstream.getBlob(name, digest))).toMatchObject({ trouble: 'wrong', status: 502 })
  })

  it('carries userinfo', async () => {
    redirect(registry, onCdn().replace('http://', 'http://user:secret@'))
    const error = await caught(upstream.getBlob(name, digest))
    expect(error.trouble).toBe('wrong')
    expect(error.detail).not.toContain('secret')
    expect(cdn.connections()).toBe(0)
  })

  it('is the sixth', async () => {
    let hops = 0
    registry.misbehave({ path: blobPath }, (_request, response) => {
      hops += 1
      response.writeHead(302, { Location: `/v2/org/app/blobs/hop${hops}` }).end()
    })
    expect((await caught(upstream.getBlob(name, digest))).detail).toContain('5 times')
    expect(hops).toBe(6)
  })

  it('is 300, whose choice is not ours', async () => {
    redirect(registry, onCdn(), 300)
    expect(await caught(upstream.getBlob(name, digest))).toMatchObject({ trouble: 'wrong' })
    expect(cdn.connections()).toBe(0)
  })

  it('leads from https to plaintext', async () => {
    const authority = issueCertificate({ name: 'Test authority' })
    const tls = issueCertificate({ name: 'r', hosts: ['127.0.0.1'], issuer: authority })
    const secure = await started({ tls })
    redirect(secure, onCdn())
    const error = await caught(clientOf(secure, [cdn.host], authority.cert).getBlob(name, digest))
    expect(error.detail).toContain('plaintext')
    expect(cdn.connections()).toBe(0)
  })
})

describe('a redirect on the same origin', () => {
  it('may be relative, and keeps the credentials', async () => {
    const moved = registry.putManifest('moved', 'latest', '{}', ociManifest)
    redirect(registry, `../../../moved/manifests/${moved}`, 301, /org\/app\/manifests/)
    expect((await upstream.getManifest(name, { tag }))?.digest).toBe(moved)
    expect(registry.calls.map(({ headers }) => headers.authorization)).toEqual([canary, canary])
  })
})

describe('the urls of a descriptor', () => {
  it('are never followed', async () => {
    const foreign = JSON.stringify({
      schemaVersion: 2,
      layers: [{ mediaType: 'x/y', digest, size: 1, urls: [onCdn()] }],
    })
    registry.putManifest(name, tag, foreign, ociManifest)
    await upstream.getManifest(name, { tag })
    expect(await upstream.getBlob(name, digest)).toBeUndefined()
    expect(cdn.connections()).toBe(0)
  })
})
