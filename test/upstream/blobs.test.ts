import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Digest } from '../../src/oci/digest.ts'
import { parseName } from '../../src/oci/name.ts'
import type { Transfer, Upstream } from '../../src/upstream/upstream.ts'
import { openUpstream } from '../support/open-upstream.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { caught } from './caught.ts'

const name = parseName('org/app') ?? expect.fail('no name')
const bytes = randomBytes(200_000)
const half = 100_000
const blobPath = /^\/v2\/org\/app\/blobs\//

let registry: ScriptedRegistry
let upstream: Upstream
let digest: Digest

beforeEach(async () => {
  registry = await startScriptedRegistry()
  digest = registry.putBlob(name, bytes)
  upstream = openUpstream(registry.url, { connector: { idleTimeout: 100 } })
})
afterEach(async () => {
  await upstream.close()
  await registry.close()
})

async function read(transfer: Transfer | undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of transfer?.body ?? []) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

describe('a blob', () => {
  it('comes whole with its size in one request', async () => {
    const transfer = await upstream.getBlob(name, digest)
    expect(transfer).toMatchObject({ size: bytes.length, from: 0 })
    expect(await read(transfer)).toEqual(bytes)
    expect(registry.calls.map(({ method, headers }) => [method, headers.range])).toEqual([['GET', undefined]])
  })

  it('lends its chunks: their memory is used again when the next one is asked for', async () => {
    const large = registry.putBlob(name, randomBytes(32_000_000))
    const buffers: ArrayBufferLike[] = []
    let received = 0
    for await (const chunk of (await upstream.getBlob(name, large))?.body ?? []) {
      received += chunk.length
      if (chunk.length >= 64 * 1024) buffers.push(chunk.buffer)
    }
    expect(received).toBe(32_000_000)
    expect(new Set(buffers).size).toBeLessThan(buffers.length)
  })

  it('does not exist where upstream says 404', async () => {
    registry.deleteBlob(name, digest)
    expect(await upstream.getBlob(name, digest)).toBeUndefined()
    expect(await upstream.headBlob(name, digest)).toBeUndefined()
  })

  it('may come without a size', async () => {
    registry.misbehave({ path: blobPath }, (_request, response) => void response.end(bytes))
    registry.misbehave({ path: blobPath, times: 1 }, (_request, response) => {
      response.write(bytes)
      response.end()
    })
    const transfer = await upstream.getBlob(name, digest)
    expect(transfer).toMatchObject({ size: undefined, from: 0 })
    expect(await read(transfer)).toEqual(bytes)
  })

  it('is wrong when it comes as a web page, as a part, or not at all', async () => {
    for (const [status, headers] of [
      [200, { 'Content-Type': 'text/html' }],
      [206, { 'Content-Range': 'bytes 0-3/4' }],
      [204, {}],
    ] as const) {
      registry.misbehave({ path: blobPath }, (_request, response) => void response.writeHead(status, headers).end())
      expect(await caught(upstream.getBlob(name, digest))).toMatchObject({ trouble: 'wrong' })
    }
  })

  it('that breaks off throws, and never ends as if it were whole', async () => {
    registry.misbehave({ path: blobPath }, (request, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length })
      response.write(bytes.subarray(0, half), () => request.socket.destroy())
    })
    expect(await caught(read(await upstream.getBlob(name, digest)))).toMatchObject({ trouble: 'unreachable' })
  })

  it('that stalls in the middle throws', async () => {
    registry.misbehave({ path: blobPath }, (_request, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length })
      response.write(bytes.subarray(0, half))
    })
    const error = await caught(read(await upstream.getBlob(name, digest)))
    expect(error).toMatchObject({ trouble: 'unreachable', code: 'UPSTREAM_TIMEOUT' })
  })

  it('without a declared length ends at the most that is taken', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    registry.misbehave({ path: blobPath }, (request, response) => {
      request.socket.on('close', () => resolve())
      const go = () => void response.write(bytes, (error) => error ?? go())
      go()
    })
    const bounded = openUpstream(registry.url, { transfers: { unsized: 1_000_000 } })
    const error = await caught(read(await bounded.getBlob(name, digest)))
    expect(error).toMatchObject({ trouble: 'wrong', code: 'UPSTREAM_INVALID' })
    expect(error.detail).toContain('larger than the 1000000 bytes')
    await closed
    await bounded.close()
  })

  it('with a declared length may be larger than that', async () => {
    const bounded = openUpstream(registry.url, { transfers: { unsized: half } })
    expect(await read(await bounded.getBlob(name, digest))).toEqual(bytes)
    await bounded.close()
  })

  it('that takes longer than a transfer may is wrong, however steadily it comes', async () => {
    registry.misbehave({ path: blobPath }, (_request, response) => {
      response.writeHead(200, { 'Content-Length': 1e12 })
      const go = () => void response.write(bytes, (error) => error ?? go())
      go()
    })
    const bounded = openUpstream(registry.url, { transfers: { within: 100 } })
    const error = await caught(read(await bounded.getBlob(name, digest)))
    expect(error).toMatchObject({ trouble: 'wrong', code: 'UPSTREAM_INVALID' })
    expect(error.detail).toContain('did not come to its end within 0.1 s')
    await bounded.close()
  })

  it('goes on arriving after the deadline of its headers', async () => {
    registry.misbehave({ path: blobPath }, (_request, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length })
      response.write(bytes.subarray(0, half))
      setTimeout(() => response.end(bytes.subarray(half)), 1_100)
    })
    const patient = openUpstream(registry.url)
    const transfer = await patient.getBlob(name, digest, { within: 1_000 })
    expect(await read(transfer)).toEqual(bytes)
    await patient.close()
  })

  it('that has begun is left alone by the signal of the call', async () => {
    const controller = new AbortController()
    const transfer = await upstream.getBlob(name, digest, { signal: controller.signal })
    controller.abort()
    expect(await read(transfer)).toEqual(bytes)
  })

  it('that is aborted closes its connection', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    registry.misbehave({ path: blobPath }, (request, response) => {
      request.socket.on('close', () => resolve())
      response.writeHead(200, { 'Content-Length': bytes.length })
      response.write(bytes.subarray(0, half))
    })
    const transfer = await upstream.getBlob(name, digest)
    const body = read(transfer)
    transfer?.abort()
    transfer?.abort()
    await expect(body).rejects.toThrow(/abort/)
    await closed
  })

  it('that is aborted after its end leaves its connection to the next', async () => {
    const single = openUpstream(registry.url, { connector: { transfers: 1 } })
    for (let turn = 0; turn < 3; turn += 1) {
      const transfer = await single.getBlob(name, digest)
      expect(await read(transfer)).toEqual(bytes)
      transfer?.abort()
    }
    await single.close()
    expect(registry.connections()).toBe(1)
  })
})

describe('the rest of a blob', () => {
  it('is asked for by Range', async () => {
    const transfer = await upstream.getBlob(name, digest, { from: half })
    expect(transfer).toMatchObject({ size: bytes.length, from: half })
    expect(await read(transfer)).toEqual(bytes.subarray(half))
    expect(registry.calls[0]?.headers.range).toBe(`bytes=${half}-`)
  })

  it('starts at 0 where upstream ignores the Range', async () => {
    registry.misbehave({ path: blobPath }, (_request, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes)
    })
    const transfer = await upstream.getBlob(name, digest, { from: half })
    expect(transfer).toMatchObject({ size: bytes.length, from: 0 })
    expect(await read(transfer)).toEqual(bytes)
  })

  it('may be of a blob whose size upstream does not say', async () => {
    registry.misbehave({ path: blobPath }, (_request, response) => {
      response.writeHead(206, { 'Content-Range': `bytes ${half}-${bytes.length - 1}/*` }).end(bytes.subarray(half))
    })
    expect(await upstream.getBlob(name, digest, { from: half })).toMatchObject({ size: undefined, from: half })
  })

  it('is empty where all bytes are there already', async () => {
    const transfer = await upstream.getBlob(name, digest, { from: bytes.length })
    expect(transfer).toMatchObject({ size: bytes.length, from: bytes.length })
    expect(await read(transfer)).toHaveLength(0)
  })

  it('is wrong where it lies behind the end', async () => {
    expect(await caught(upstream.getBlob(name, digest, { from: bytes.length + 1 }))).toMatchObject({ trouble: 'wrong' })
  })

  it('is wrong where more comes than its Content-Range says', async () => {
    registry.misbehave({ path: blobPath }, (_request, response) => {
      response.writeHead(206, { 'Content-Range': 'bytes 100000-199999/200000' })
      response.end(bytes)
    })
    const transfer = await upstream.getBlob(name, digest, { from: half })
    expect(await caught(read(transfer))).toMatchObject({ trouble: 'wrong' })
  })

  it.each([
    ['is missing', {}],
    ['starts elsewhere', { 'Content-Range': 'bytes 0-199999/200000' }],
    ['ends early', { 'Content-Range': 'bytes 100000-149999/200000' }],
    ['ends before it starts', { 'Content-Range': 'bytes 100000-99998/200000' }],
    ['is no range', { 'Content-Range': 'pages 1-2/3' }],
    ['has another length', { 'Content-Range': 'bytes 100000-199999/200000', 'Content-Length': '5' }],
  ])('is wrong where its Content-Range %s', async (_what, headers) => {
    registry.misbehave({ path: blobPath }, (_request, response) => void response.writeHead(206, headers).end('12345'))
    expect(await caught(upstream.getBlob(name, digest, { from: half }))).toMatchObject({ trouble: 'wrong' })
  })
})

describe('the HEAD of a blob', () => {
  it('tells its size and moves no bytes', async () => {
    expect(await upstream.headBlob(name, digest)).toEqual({ size: bytes.length })
    expect(registry.calls.map(({ method }) => method)).toEqual(['HEAD'])
  })

  it('is wrong when it comes as a web page', async () => {
    registry.misbehave({ path: blobPath }, (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end()
    })
    expect(await caught(upstream.headBlob(name, digest))).toMatchObject({ trouble: 'wrong' })
  })
})

describe('long transfers', () => {
  it('delay neither manifests nor HEADs, nor the start of other transfers', async () => {
    registry.misbehave({ path: blobPath, method: 'GET' }, (_request, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length })
      response.write(bytes.subarray(0, half))
    })
    const patient = openUpstream(registry.url)
    const transfers = await Promise.all(Array.from({ length: 20 }, () => patient.getBlob(name, digest)))
    expect(await patient.headBlob(name, digest)).toEqual({ size: bytes.length })
    for (const transfer of transfers) transfer?.abort()
    await patient.close()
  })
})
