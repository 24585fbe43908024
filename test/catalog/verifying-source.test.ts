import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createVerifyingSource } from '../../src/catalog/verifying-source.ts'
import type { ByteSource } from '../../src/oci/byte-source.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { drain } from '../proxied/house.ts'

const KiB = 1024

function sourceOf(bytes: Buffer, step = Number.POSITIVE_INFINITY): ByteSource & { closed(): boolean } {
  let closed = false
  return {
    size: bytes.length,
    async read(position, buffer) {
      return bytes.copy(buffer, 0, position, position + Math.min(step, buffer.length))
    },
    async close() {
      closed = true
    },
    closed: () => closed,
  }
}

function verifying(bytes: Buffer, digest = digestOf(bytes), source: ByteSource = sourceOf(bytes)) {
  let verified = 0
  const opened = createVerifyingSource({
    source,
    size: bytes.length,
    digest,
    onVerified: async () => void (verified += 1),
  })
  return { opened, verified: () => verified }
}

describe('bytes that are verified while they are served', () => {
  it('are all right, or the last of them never come: any size, any steps, any flipped bit', async () => {
    const sizes = fc.oneof(
      fc.constantFrom(0, 1, 64 * KiB - 1, 64 * KiB, 64 * KiB + 1),
      fc.integer({ min: 0, max: 200 * KiB }),
    )
    const cases = fc.record({
      size: sizes,
      step: fc.integer({ min: 1, max: 70_000 }),
      read: fc.integer({ min: 512, max: 100_000 }),
      flip: fc.option(fc.nat()),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ size, step, read, flip }) => {
        const good = Buffer.alloc(size, 'entrepot')
        const bytes = Buffer.from(good)
        const isDamaged = flip !== null && size > 0
        if (isDamaged) bytes[flip % size] = (bytes[flip % size] ?? 0) ^ 1
        const { opened, verified } = verifying(bytes, digestOf(good), sourceOf(bytes, Math.max(step, 512)))
        const served = await drain(opened, 0, Number.POSITIVE_INFINITY, read).catch(() => undefined)
        expect(served?.equals(good) ?? false).toBe(!isDamaged)
        expect(verified()).toBe(isDamaged ? 0 : 1)
      }),
      { numRuns: 60 },
    )
  })

  it('of which the newest 64 KiB wait are broken off before them where they do not match', async () => {
    const good = Buffer.alloc(100 * KiB, 'entrepot')
    const bytes = Buffer.from(good)
    bytes[0] = 0
    const { opened } = verifying(bytes, digestOf(good))
    const buffer = Buffer.alloc(100 * KiB)
    expect(await opened.read(0, buffer)).toBe(36 * KiB)
    await expect(opened.read(36 * KiB, buffer)).rejects.toThrow('do not match')
    await expect(opened.read(36 * KiB, buffer)).rejects.toThrow()
  })

  it('that end early are no match', async () => {
    const good = Buffer.alloc(100 * KiB, 'entrepot')
    const { opened } = verifying(good, digestOf(good), { ...sourceOf(good.subarray(0, 80 * KiB)), size: 100 * KiB })
    await expect(drain(opened)).rejects.toThrow('do not match')
  })

  it('are not judged by a reading that is out of order', async () => {
    const good = Buffer.alloc(100 * KiB, 'entrepot')
    const { opened } = verifying(good)
    await expect(opened.read(50 * KiB, Buffer.alloc(10))).rejects.toThrow('in order')
    await expect(opened.read(0, Buffer.alloc(10))).resolves.toBe(10)
  })
})
