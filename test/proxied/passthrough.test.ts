import * as fc from 'fast-check'
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { createPassthrough } from '../../src/proxied/passthrough.ts'
import { drain } from './house.ts'
import { isSound, type Script, transferOf } from './transfers.ts'

const KiB = 1024
const blobOf = (size: number) => Buffer.from(Array.from({ length: size }, (_, index) => (index * 7) % 251))

interface Opening {
  blob: Buffer
  script: Script
  /** Bytes that were spooled before. */
  from?: number
  closedEnd?: number
  size?: number | undefined
}

function open({ blob, script, from = 0, closedEnd, ...more }: Opening) {
  let fetched = 0
  const source = createPassthrough({
    upstream: 'upstream.test',
    digest: digestOf(blob),
    size: 'size' in more ? more.size : blob.length,
    closedEnd,
    from,
    hash: createHash('sha256').update(blob.subarray(0, from)),
    before: async (position, buffer) => blob.copy(buffer, 0, position, Math.min(from, position + buffer.length)),
    async fetch(asked) {
      fetched += 1
      return transferOf(blob, asked, script)
    },
  })
  return { source, fetched: () => fetched }
}

const cut = fc.option(fc.integer({ min: 0, max: 300 * KiB }))
const scripts = fc.record({
  chunks: fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 5 }),
  breaksAt: cut,
  endsAt: cut,
  flips: fc.option(fc.nat()),
  extra: fc.constantFrom(0, 0, 0, 1, 70_000),
  ignoresRange: fc.boolean(),
})

describe('a blob that is passed through', () => {
  it('arrives whole and right, or the reading fails: never a clean short end, never a wrong byte more than may be', async () => {
    const cases = fc.record({
      size: fc.oneof(fc.constantFrom(0, 1, 64 * KiB, 64 * KiB + 1), fc.integer({ min: 0, max: 250 * KiB })),
      script: scripts,
      read: fc.integer({ min: 300, max: 100_000 }),
      spooled: fc.integer({ min: 0, max: 250 * KiB }),
      knowsSize: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ size, script, read, spooled, knowsSize }) => {
        const blob = blobOf(size)
        const from = Math.min(spooled, size)
        // What was spooled is not sent again, so what would break or lie there does not.
        const seen = { ...script, ...(script.ignoresRange ? {} : { flips: null }) }
        const later = (at: number | null) => (at === null ? null : at + from)
        const sent = {
          ...seen,
          breaksAt: later(script.breaksAt),
          endsAt: later(script.endsAt),
          flips: from > 0 ? null : seen.flips,
        }
        const { source } = open({ blob, script: sent, from, size: knowsSize ? size : undefined })
        const got = await drain(source, 0, Number.POSITIVE_INFINITY, read).catch(() => undefined)
        expect(got !== undefined).toBe(isSound(sent, blob))
        if (got) expect(got.equals(blob)).toBe(true)
      }),
      { numRuns: 150 },
    )
  })

  it('shows nothing of its newest 64 KiB before the digest is verified', async () => {
    const blob = blobOf(100 * KiB)
    const { source } = open({ blob, script: { chunks: [100 * KiB], flips: 5 } })
    const buffer = Buffer.alloc(100 * KiB)
    expect(await source.read(0, buffer)).toBe(36 * KiB)
    await expect(source.read(36 * KiB, buffer)).rejects.toMatchObject({ trouble: 'wrong' })
  })

  it('shows nothing of the newest 64 KiB that were spooled either', async () => {
    const blob = blobOf(200 * KiB)
    const { source } = open({ blob, script: { chunks: [1], breaksAt: 200 * KiB - 1 }, from: 200 * KiB - 1 })
    const buffer = Buffer.alloc(200 * KiB)
    expect(await source.read(0, buffer)).toBe(136 * KiB - 1)
    await expect(source.read(136 * KiB - 1, buffer)).rejects.toThrow()
  })

  it('that was spooled whole and could not be verified is verified first', async () => {
    const blob = blobOf(10)
    const { source } = open({ blob, script: { chunks: [10] }, from: 10 })
    expect((await drain(source)).equals(blob)).toBe(true)
  })

  it('in part keeps back the last byte of a closed range until all is verified, spooled or not', async () => {
    const blob = blobOf(300 * KiB)
    for (const from of [0, 200 * KiB]) {
      const good = open({ blob, script: { chunks: [10_000] }, from, closedEnd: 100 })
      expect((await drain(good.source, 50, 100)).equals(blob.subarray(50, 100))).toBe(true)
      const bad = open({ blob, script: { chunks: [10_000], endsAt: 299 * KiB }, from, closedEnd: 100 })
      const buffer = Buffer.alloc(50)
      expect(await bad.source.read(50, buffer)).toBe(49)
      await expect(bad.source.read(99, buffer)).rejects.toThrow()
    }
  })

  it('is fetched once by one reader, from where it is missing', async () => {
    const blob = blobOf(100 * KiB)
    const { source, fetched } = open({ blob, script: { chunks: [1000] }, from: 50 * KiB })
    await drain(source)
    expect(fetched()).toBe(1)
  })

  it('cannot be read twice: that is an error, not other bytes', async () => {
    const blob = blobOf(300 * KiB)
    const { source } = open({ blob, script: { chunks: [10_000] } })
    const buffer = Buffer.alloc(10_000)
    await source.read(0, buffer)
    await source.read(100_000, buffer)
    await expect(source.read(0, buffer)).rejects.toThrow('in order')
  })

  it('that is closed before a byte was read ends the transfer that had begun', async () => {
    const blob = blobOf(10)
    const begun = transferOf(blob, 0, { chunks: [10] })
    const source = createPassthrough({
      upstream: 'upstream.test',
      digest: digestOf(blob),
      size: 10,
      closedEnd: undefined,
      from: 0,
      hash: createHash('sha256'),
      before: async () => 0,
      begun,
      fetch: async () => undefined,
    })
    await source.close()
    expect(begun.aborted()).toBe(true)
    await expect(source.read(0, Buffer.alloc(1))).rejects.toThrow('closed')
  })

  it('that is closed while the transfer is being asked for ends the reading at once, and the transfer when it comes', async () => {
    const blob = blobOf(10)
    const late = Promise.withResolvers<void>()
    const transfer = transferOf(blob, 0, { chunks: [10] })
    const source = createPassthrough({
      upstream: 'upstream.test',
      digest: digestOf(blob),
      size: 10,
      closedEnd: undefined,
      from: 0,
      hash: createHash('sha256'),
      before: async () => 0,
      fetch: () => late.promise.then(() => transfer),
    })
    const reading = source.read(0, Buffer.alloc(1))
    await source.close()
    await expect(reading).rejects.toThrow('closed')
    late.resolve()
    await expect.poll(() => transfer.aborted()).toBe(true)
  })
})
