import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { parseName, parseTag } from '../../src/oci/name.ts'
import type { Authorizer } from '../../src/upstream/authorizer.ts'
import type { BudgetOptions } from '../../src/upstream/budget.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'
import { issueCertificate } from '../support/certificates.ts'
import { openUpstream } from '../support/open-upstream.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { caught } from './caught.ts'

const name = parseName('org/app') ?? expect.fail('no name')
const tag = parseTag('latest') ?? expect.fail('no tag')
const digest = digestOf(Buffer.from('absent'))
const manifests = /\/manifests\//
const open: { close(): Promise<void> }[] = []

let registry: ScriptedRegistry
let clock: number

beforeEach(async () => {
  clock = 0
  registry = await startScriptedRegistry()
  open.push(registry)
  registry.putManifest(name, tag, '{}', ociManifest)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

/** `now` stands still unless the test moves `clock`, so that only the numbers under test decide. */
function clientWith(budget: Omit<BudgetOptions, 'upstream'> = {}, authorizer?: Authorizer): Upstream {
  const upstream = openUpstream(registry.url, { budget: { now: () => clock, ...budget }, authorizer })
  open.push(upstream)
  return upstream
}

function fail(status: number, headers: Record<string, string> = {}, times?: number): () => void {
  return registry.misbehave({ path: manifests, times }, (_request, response) => {
    response.writeHead(status, headers).end()
  })
}

describe('retries', () => {
  it('outlast three failures', async () => {
    fail(503, {}, 3)
    expect(await clientWith().getManifest(name, { tag })).toBeDefined()
    expect(registry.count('GET', manifests)).toBe(4)
  })

  it('end after four attempts', async () => {
    fail(500)
    expect(await caught(clientWith().getManifest(name, { tag }))).toMatchObject({ trouble: 'unreachable' })
    expect(registry.count('GET', manifests)).toBe(4)
  })

  it('come after a reset too', async () => {
    registry.misbehave({ times: 2 }, (request) => void request.socket.resetAndDestroy())
    expect(await clientWith().headManifest(name, { tag })).toBeDefined()
    expect(registry.count('HEAD', manifests)).toBe(3)
  })

  it.each([400, 401, 403, 429, 200])('do not come after %i', async (status) => {
    fail(status, { 'Content-Type': 'text/html' })
    await caught(clientWith().getManifest(name, { tag }))
    expect(registry.count('GET', manifests)).toBe(1)
  })

  it('do not come for a certificate that is not accepted', async () => {
    const secure = await startScriptedRegistry({ tls: issueCertificate({ name: 'self', hosts: ['127.0.0.1'] }) })
    const upstream = openUpstream(secure.url)
    open.push(secure, upstream)
    expect(await caught(upstream.getManifest(name, { tag }))).toMatchObject({ trouble: 'unreachable', status: 502 })
    expect(secure.connections()).toBe(1)
  })

  it('do not come where the next one would be after the deadline', async () => {
    fail(503, { 'Retry-After': '30' })
    const error = await caught(clientWith({ within: 20_000 }).getManifest(name, { tag }))
    expect(error).toMatchObject({ trouble: 'unreachable', retryAfter: 30 })
    expect(registry.count('GET', manifests)).toBe(1)
  })

  it('wait up to twice as long each time, and no longer than the longest delay', async () => {
    const times: number[] = []
    registry.misbehave({}, (_request, response) => {
      times.push(performance.now())
      response.writeHead(503).end()
    })
    await caught(clientWith({ delay: 20, longestDelay: 60, random: () => 1, attempts: 5 }).getManifest(name, { tag }))
    const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    const least = [20, 40, 60, 60]
    expect(waits.map((wait, index) => wait >= (least[index] ?? 0) - 2)).toEqual([true, true, true, true])
  })

  it('are a tenth of the calls once the reserve is gone', async () => {
    fail(503)
    const upstream = clientWith({ retryReserve: 2, failures: 1_000 })
    for (let call = 0; call < 20; call += 1) await caught(upstream.getManifest(name, { tag }))
    expect(registry.count('GET', manifests)).toBe(20 + 2 + 2 - 1)
  })
})

describe('the deadline of a call', () => {
  it('ends a silent attempt with a timeout', async () => {
    registry.misbehave({}, () => undefined)
    const error = await caught(clientWith().getManifest(name, { tag }, { within: 50 }))
    expect(error).toMatchObject({ trouble: 'unreachable', code: 'UPSTREAM_TIMEOUT', status: 504 })
    expect(error.detail).toBe('registry.test did not answer within 0.1 s.')
  })

  it('is told in seconds with one decimal at most', async () => {
    registry.misbehave({}, () => undefined)
    const error = await caught(clientWith().getManifest(name, { tag }, { within: 249.99999809600001 }))
    expect(error.detail).toBe('registry.test did not answer within 0.2 s.')
  })

  it('ends a body that does not come to its end', async () => {
    registry.misbehave(
      {},
      (_request, response) => void response.writeHead(200, { 'Content-Type': ociManifest }).write('{'),
    )
    const error = await caught(clientWith().getManifest(name, { tag }, { within: 100 }))
    expect(error).toMatchObject({ code: 'UPSTREAM_TIMEOUT' })
  })

  it('ends a wait for a slot', async () => {
    registry.misbehave({ method: 'GET' }, () => undefined)
    const upstream = clientWith({ concurrency: 1 })
    const controller = new AbortController()
    const first = upstream.getManifest(name, { tag }, { signal: controller.signal })
    await expect.poll(() => registry.count('GET', manifests)).toBe(1)
    const second = await caught(upstream.getManifest(name, { tag }, { within: 20 }))
    expect(second).toMatchObject({ code: 'UPSTREAM_TIMEOUT', status: 504 })
    expect(registry.count('GET', manifests)).toBe(1)
    controller.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
  })

  it('is not waited for in a pause that would pass it', async () => {
    fail(503)
    const long = { delay: 1_000_000, longestDelay: 1_000_000, random: () => 0.5 }
    expect(await caught(clientWith(long).getManifest(name, { tag }))).toMatchObject({ status: 503 })
    expect(registry.count('GET', manifests)).toBe(1)
  })

  it('may be the signal of the caller', async () => {
    registry.misbehave({}, () => undefined)
    const controller = new AbortController()
    const upstream = clientWith({ failures: 1 })
    const asked = upstream.getManifest(name, { tag }, { signal: controller.signal })
    await expect.poll(() => registry.calls.length).toBe(1)
    controller.abort(new Error('the client has left'))
    await expect(asked).rejects.toThrow('the client has left')
    await expect(upstream.getManifest(name, { tag }, { signal: controller.signal })).rejects.toThrow('has left')
    expect(registry.calls).toHaveLength(1)
  })
})

describe('concurrency', () => {
  it('is 8 for each class of request, and a stuck class delays no other', async () => {
    registry.misbehave({ method: 'GET', path: manifests }, () => undefined)
    const upstream = clientWith()
    const controller = new AbortController()
    const { signal } = controller
    const stuck = Array.from({ length: 20 }, () => upstream.getManifest(name, { tag }, { signal }))
    const ended = Promise.allSettled(stuck)
    await expect.poll(() => registry.count('GET', manifests)).toBe(8)
    expect(await upstream.headManifest(name, { tag })).toBeDefined()
    expect(await upstream.tags(name)).toEqual(['latest'])
    expect(await upstream.getBlob(name, digest)).toBeUndefined()
    expect(registry.count('GET', manifests)).toBe(8)
    controller.abort()
    await ended
  })

  it('passes a slot on to the next in line', async () => {
    const upstream = clientWith({ concurrency: 2 })
    const all = await Promise.all(Array.from({ length: 50 }, () => upstream.getManifest(name, { tag })))
    expect(all.filter(Boolean)).toHaveLength(50)
  })
})

describe('a rate limit', () => {
  it('pauses its class for as long as Retry-After says, without a single call', async () => {
    const stop = fail(429, { 'Retry-After': '120' })
    const upstream = clientWith()
    expect(await caught(upstream.headManifest(name, { tag }))).toMatchObject({ trouble: 'limited', retryAfter: 120 })
    stop()
    clock = 119_000
    for (let call = 0; call < 5; call += 1) {
      expect(await caught(upstream.headManifest(name, { tag }))).toMatchObject({ status: 429, retryAfter: 1 })
    }
    expect(registry.count('HEAD', manifests)).toBe(1)
    clock = 120_000
    expect(await upstream.headManifest(name, { tag })).toBeDefined()
  })

  it('does not pause the other classes', async () => {
    fail(429, {}, 1)
    const upstream = clientWith()
    await caught(upstream.headManifest(name, { tag }))
    expect(await upstream.getManifest(name, { tag })).toBeDefined()
    expect(await upstream.tags(name)).toEqual(['latest'])
  })

  it.each([
    ['names no time', {}, 60],
    ['names a time that cannot be read', { 'Retry-After': 'soon' }, 60],
    ['names hours', { 'Retry-After': '86400' }, 900],
  ])('that %s pauses for %s', async (_what, headers, seconds) => {
    fail(429, headers, 1)
    const upstream = clientWith()
    await caught(upstream.headManifest(name, { tag }))
    clock = seconds * 1000 - 1
    await caught(upstream.headManifest(name, { tag }))
    expect(registry.count('HEAD', manifests)).toBe(1)
    clock = seconds * 1000
    expect(await upstream.headManifest(name, { tag })).toBeDefined()
  })

  it('may be told in an error body alone', async () => {
    registry.misbehave({}, (_request, response) => {
      response.writeHead(403).end('{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}')
    })
    expect(await caught(clientWith().getManifest(name, { tag }))).toMatchObject({ trouble: 'limited', status: 429 })
  })

  it('never opens the breaker', async () => {
    fail(429, { 'Retry-After': '1' })
    const upstream = clientWith({ failures: 2 })
    for (let call = 0; call < 5; call += 1) {
      clock += 1_000
      expect(await caught(upstream.getManifest(name, { tag }))).toMatchObject({ trouble: 'limited' })
    }
    expect(registry.count('GET', manifests)).toBe(5)
  })
})

describe('the circuit breaker', () => {
  it('opens after five failures in a row, and then nothing is asked', async () => {
    fail(502)
    const upstream = clientWith()
    await caught(upstream.getManifest(name, { tag }))
    await caught(upstream.getManifest(name, { tag }))
    expect(registry.count('GET', manifests)).toBe(5)
    const error = await caught(upstream.getManifest(name, { tag }))
    expect(error).toMatchObject({ trouble: 'unreachable', status: 503, retryAfter: 10 })
    expect(registry.count('GET', manifests)).toBe(5)
  })

  it('stays closed while a registry says in its own words what it cannot answer', async () => {
    registry.misbehave({}, (_request, response) => {
      response.writeHead(503).end('{"errors":[{"code":"UNAVAILABLE","message":"docker.io did not answer"}]}')
    })
    const upstream = clientWith({ failures: 2, attempts: 1 })
    for (let call = 0; call < 5; call += 1) {
      expect(await caught(upstream.getManifest(name, { tag }))).toMatchObject({ trouble: 'unreachable', status: 503 })
    }
    expect(registry.count('GET', manifests)).toBe(5)
  })

  it('ends the retries of the call that opens it with what upstream answered', async () => {
    fail(502)
    const error = await caught(clientWith({ failures: 2 }).getManifest(name, { tag }))
    expect(error.detail).toBe('registry.test answered 502.')
    expect(registry.count('GET', manifests)).toBe(2)
  })

  it('ends the wait of those in line', async () => {
    fail(502)
    const upstream = clientWith({ failures: 1, concurrency: 1, attempts: 1 })
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => upstream.getManifest(name, { tag })))
    expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(20)
    expect(registry.count('GET', manifests)).toBe(1)
  })

  it('lets one probe through after its time, and closes when that is answered', async () => {
    const stop = fail(502)
    const upstream = clientWith({ failures: 1 })
    await caught(upstream.getManifest(name, { tag }))
    stop()
    clock = 10_000
    registry.misbehave({ times: 1 }, (_request, response) => {
      setImmediate(() => response.writeHead(404).end())
    })
    const [probe, other] = await Promise.allSettled([
      upstream.getManifest(name, { tag }),
      upstream.getManifest(name, { tag }),
    ])
    expect([probe.status, other.status]).toEqual(['fulfilled', 'rejected'])
    expect(registry.count('GET', manifests)).toBe(2)
    expect(await upstream.getManifest(name, { tag })).toBeDefined()
  })

  it('stays open twice as long after a failed probe, a minute at most', async () => {
    fail(502)
    const upstream = clientWith({ failures: 1, attempts: 1 })
    const waits: number[] = []
    for (let probe = 0; probe < 5; probe += 1) {
      await caught(upstream.getManifest(name, { tag }))
      const { retryAfter = 0 } = await caught(upstream.getManifest(name, { tag }))
      waits.push(retryAfter)
      clock += retryAfter * 1000
    }
    expect(waits).toEqual([10, 20, 40, 60, 60])
    expect(registry.count('GET', manifests)).toBe(5)
  })

  it('is not opened any longer by stragglers that were on their way when it opened', async () => {
    const held: (() => void)[] = []
    registry.misbehave({}, (_request, response) => void held.push(() => response.writeHead(502).end()))
    const upstream = clientWith({ failures: 1, attempts: 1 })
    const all = Promise.allSettled(Array.from({ length: 8 }, () => upstream.getManifest(name, { tag })))
    await expect.poll(() => held.length).toBe(8)
    for (const answer of held) answer()
    await all
    expect(await caught(upstream.getManifest(name, { tag }))).toMatchObject({ retryAfter: 10 })
  })

  it('is not opened by failures that answers interrupt', async () => {
    const upstream = clientWith({ failures: 2, attempts: 1 })
    for (let turn = 0; turn < 4; turn += 1) {
      fail(502, {}, 1)
      await caught(upstream.getManifest(name, { tag }))
      expect(await upstream.getManifest(name, { tag })).toBeDefined()
    }
  })

  it('gives its probe back when the caller leaves', async () => {
    const stop = fail(502)
    const upstream = clientWith({ failures: 1 })
    await caught(upstream.getManifest(name, { tag }))
    stop()
    clock = 10_000
    const silence = registry.misbehave({}, () => undefined)
    const controller = new AbortController()
    const left = upstream.getManifest(name, { tag }, { signal: controller.signal })
    await expect.poll(() => registry.count('GET', manifests)).toBe(2)
    controller.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    silence()
    expect(await upstream.getManifest(name, { tag })).toBeDefined()
  })
})

describe('a 401', () => {
  it('is answered once, with the header that the authorizer gives', async () => {
    const challenges: unknown[] = []
    const authorizer: Authorizer = {
      identity: async () => 'config:me',
      header: async () => 'Bearer old',
      async answer(...question) {
        challenges.push(question.slice(0, 3))
        return 'Bearer new'
      },
    }
    registry.misbehave({}, (request, response) => {
      const isNew = request.headers.authorization === 'Bearer new'
      const headers = { 'WWW-Authenticate': ['Bearer realm="a"', 'Basic realm="b"'] }
      response.writeHead(isNew ? 404 : 401, headers).end()
    })
    expect(await clientWith({}, authorizer).getManifest(name, { tag })).toBeUndefined()
    expect(challenges).toEqual([[['Bearer realm="a"', 'Basic realm="b"'], name, 'Bearer old']])
    expect(registry.calls.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new'])
  })

  it('that comes again stands, with the words of upstream', async () => {
    const authorizer: Authorizer = {
      identity: async () => 'config:me',
      header: async () => undefined,
      answer: async () => 'Bearer new',
    }
    registry.misbehave({}, (_request, response) => {
      response.writeHead(401).end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}')
    })
    const error = await caught(clientWith({}, authorizer).getManifest(name, { tag }))
    expect(error).toMatchObject({ trouble: 'denied', status: 403, code: 'DENIED' })
    expect(error.detail).toContain('authentication required')
    expect(registry.calls).toHaveLength(2)
  })
})
