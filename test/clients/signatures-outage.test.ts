/**
 * What cosign says through the proxy where there is no signature, and where nobody can tell: "no signatures" only when the upstream
 * said so, or in offline mode; and how soon a new signature is seen.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { missingTools } from '../support/tools.ts'
import { startDistribution } from '../support/upstreams.ts'
import { type Format, keepWhole, sign, verify } from './signing-cosign.ts'
import { openWorkshop, type Spot, type Subject, subjectTools, type Workshop } from './signing.ts'

const missing = missingTools('distribution', 'oras', ...subjectTools)
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const formats = ['referrer', 'tag'] as const

describe.skipIf(missing.length > 0).each([
  { title: 'distribution, which has no referrers API', start: () => startDistribution() },
  { title: 'an Entrepot, which has one', start: () => startDaemon({ config: { dockerConfig: 'off' } }) },
])(`through the proxy of $title${hint}`, { timeout: 120_000 }, ({ start }) => {
  let folder: string
  let workshop: Workshop
  let upstream: { url: string; host: string; stop(): Promise<void> }
  let proxy: Daemon
  const subjects = new Map<string, Subject>()

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-outage-'))
    workshop = await openWorkshop(folder)
    upstream = await start()
    proxy = await startProxy('1ms')
  }, 60_000)

  beforeEach((context) => context.onTestFailed(() => console.log(logTail(proxy))))

  afterAll(async () => {
    await proxy?.stop()
    await upstream?.stop()
    await rm(folder, { recursive: true, force: true })
  }, 60_000)

  test.each(formats)('an unsigned image has no signatures: %s', async (format) => {
    const spot = await push(`unsigned-${format}`)
    await keepWhole(spot)
    await expect(verify(spot, format, 'one')).rejects.toThrow('no signatures found')
  })

  test.each(formats)(
    'a new signature is seen as soon as the older answer is not fresh any more: %s',
    async (format) => {
      const spot = await push(`new-${format}`)
      await expect(verify(spot, format, 'one')).rejects.toThrow('no signatures found')
      await sign(await atUpstream(`new-${format}`), format, 'one')
      // "No such tag" is believed for 10 s.
      await expect.poll(() => outcome(spot, format, 'one'), { timeout: 60_000, interval: 1_000 }).toBe('verified')
      await sign(await atUpstream(`new-${format}`), format, 'two')
      expect(await outcome(spot, format, 'two')).toBe('verified')
    },
  )

  test.each(formats)('a second signature is not seen while the older answer is fresh: %s', async (format) => {
    await push(`fresh-${format}`)
    const lasting = await startDaemon({ config: configuration('1h') })
    try {
      await sign(await atUpstream(`fresh-${format}`), format, 'one')
      const spot = await through(lasting, `fresh-${format}`)
      await verify(spot, format, 'one')
      await sign(await atUpstream(`fresh-${format}`), format, 'two')
      await verify(spot, format, 'one')
      await expect(verify(spot, format, 'two')).rejects.toThrow(/no matching (?:signatures|attestations)/)
    } finally {
      await lasting.stop()
    }
  })

  describe('after it was stopped', () => {
    beforeAll(async () => {
      for (const format of formats) {
        const spot = await push(`unseen-${format}`)
        await sign(await atUpstream(`unseen-${format}`), format, 'one')
        await keepWhole(spot)
        const seen = await push(`seen-${format}`)
        await sign(await atUpstream(`seen-${format}`), format, 'one')
        await keepWhole(seen)
        await verify(seen, format, 'one')
      }
      await upstream.stop()
    }, 120_000)

    // At the same time: clients try again for seconds.
    test.for(formats)(
      'a signature that was never looked at is an error, never "no signatures": %s',
      { concurrent: true },
      async (format) => {
        const said = await outcome(await spotOf(`unseen-${format}`), format, 'one')
        expect(said).toMatch(/UNAVAILABLE/)
        expect(said).not.toContain('no signatures')
      },
    )

    test.for(formats)('and so are its referrers for other clients: %s', { concurrent: true }, async (format) => {
      const { repository, digest, reference, tool } = await spotOf(`unseen-${format}`)
      const response = await fetch(`http://${repository.replace('/', '/v2/')}/referrers/${digest}`)
      expect(response.status).toBeGreaterThanOrEqual(502)
      await expect(tool('oras', 'discover', '--plain-http', reference)).rejects.toThrow(/unavailable/i)
    })

    test.for(formats)('an unsigned image never reads as signed: %s', { concurrent: true }, async (format) => {
      const said = await outcome(await spotOf(`unsigned-${format}`), format, 'one')
      expect(said).toMatch(/UNAVAILABLE|no signatures found/)
    })

    test.each(formats)('what was verified before still is, by a daemon that was started anew: %s', async (format) => {
      await proxy.stop()
      proxy = await startProxy('1ms')
      await verify(await spotOf(`seen-${format}`), format, 'one')
    })
  })

  describe('offline', () => {
    beforeAll(async () => {
      await proxy.stop()
      proxy = await startProxy('1ms', '--offline')
    })

    test.each(formats)('an unsigned image has no signatures, as it had none online: %s', async (format) => {
      await expect(verify(await spotOf(`unsigned-${format}`), format, 'one')).rejects.toThrow('no signatures found')
    })

    test.each(formats)('what was verified before still is: %s', async (format) => {
      await verify(await spotOf(`seen-${format}`), format, 'one')
      await expect(verify(await spotOf(`seen-${format}`), format, 'two')).rejects.toThrow('no matching')
    })

    test.each(formats)('a signature that was never looked at is not here: %s', async (format) => {
      await expect(verify(await spotOf(`unseen-${format}`), format, 'one')).rejects.toThrow('no signatures found')
    })
  })

  /** Into the upstream; settles with how it is seen through the proxy. */
  async function push(name: string): Promise<Spot> {
    subjects.set(name, await workshop.push('image', upstream.host, `local/${name}`))
    return spotOf(name)
  }

  function spotOf(name: string): Promise<Spot> {
    return through(proxy, name)
  }

  function through(daemon: Daemon, name: string): Promise<Spot> {
    return workshop.spot(`${daemon.host}/up`, subjectOf(name), '')
  }

  function atUpstream(name: string): Promise<Spot> {
    return workshop.spot(upstream.host, subjectOf(name), '')
  }

  function subjectOf(name: string): Subject {
    const subject = subjects.get(name)
    if (!subject) throw new Error(`${name} was not pushed`)
    return subject
  }

  function startProxy(freshFor: string, ...args: string[]): Promise<Daemon> {
    return startDaemon({ config: configuration(freshFor), args, data: join(folder, 'proxy') })
  }

  function configuration(freshFor: string): Record<string, unknown> {
    return { upstreams: { 'up.test:5001': { alias: 'up', url: upstream.url } }, dockerConfig: 'off', freshFor }
  }
})

/** `verified`, or all that cosign says against it. */
async function outcome(spot: Spot, format: Format, key: 'one' | 'two'): Promise<string> {
  return verify(spot, format, key).then(
    () => 'verified',
    (error: unknown) => String(error),
  )
}
