import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { createProgress } from '../../src/proxied/progress.ts'
import { openReader } from '../../src/proxied/reader.ts'
import { createSpools } from '../../src/store/spools.ts'
import { temporaryDirectory } from '../store/temporary.ts'
import { drain } from './house.ts'
import { isSound, type Script, transferOf } from './transfers.ts'

const KiB = 1024
const blobOf = (size: number) => Buffer.from(Array.from({ length: size }, (_, index) => (index * 7) % 251))

async function open(blob: Buffer, more: { closedEnd?: number; script?: Script; size?: number } = {}) {
  const spool = await (await createSpools(await temporaryDirectory())).create('key')
  const progress = createProgress('size' in more ? more.size : blob.length)
  let left = 0
  const reader = openReader({
    upstream: 'upstream.test',
    digest: digestOf(blob),
    progress,
    spool,
    closedEnd: more.closedEnd,
    fetch: async (from) => transferOf(blob, from, more.script ?? { chunks: [10_000] }),
    leave: () => void (left += 1),
  })
  async function spoolTo(end: number) {
    if (end > spool.written) await spool.append(blob.subarray(spool.written, end))
    await spool.grown(end - 1)
    progress.advance(spool.written)
  }
  return { reader, progress, spool, spoolTo, left: () => left }
}

describe('a reader of a download', () => {
  it('waits for bytes that are older than the newest 64 KiB, and gets the rest when all are verified', async () => {
    const blob = blobOf(200 * KiB)
    const { reader, progress, spool, spoolTo } = await open(blob)
    const buffer = Buffer.alloc(200 * KiB)
    const first = reader.read(0, buffer)
    await spoolTo(64 * KiB)
    await spoolTo(100 * KiB)
    expect(await first).toBe(36 * KiB)
    const rest = drain(reader, 36 * KiB)
    await spoolTo(200 * KiB)
    progress.become({ at: 'verified' })
    expect((await rest).equals(blob.subarray(36 * KiB))).toBe(true)
    await spool.discard()
  })

  it('learns of a failure at once, though bytes are there that it has not read', async () => {
    const blob = blobOf(200 * KiB)
    const { reader, progress, spool, spoolTo } = await open(blob)
    await spoolTo(200 * KiB)
    progress.become({ at: 'failed', error: new Error('wrong digest') })
    await expect(reader.read(0, Buffer.alloc(10))).rejects.toThrow('wrong digest')
    await spool.discard()
  })

  it('that is closed ends its pending read, and leaves once', async () => {
    const { reader, spool, left } = await open(blobOf(10))
    const pending = reader.read(0, Buffer.alloc(10))
    await reader.close()
    await reader.close()
    await expect(pending).rejects.toThrow('closed')
    expect(left()).toBe(1)
    await spool.discard()
  })

  it('gets all right bytes or an error where room is lost midway, wherever it stands and whatever comes then', async () => {
    const cases = fc.record({
      size: fc.integer({ min: 1, max: 250 * KiB }),
      spooled: fc.nat(),
      readBefore: fc.nat(),
      read: fc.integer({ min: 300, max: 90_000 }),
      knowsSize: fc.boolean(),
      script: fc.record({
        chunks: fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 4 }),
        breaksAt: fc.option(fc.nat({ max: 250 * KiB })),
        ignoresRange: fc.boolean(),
      }),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ size, spooled, readBefore, read, knowsSize, script }) => {
        const blob = blobOf(size)
        const cut = spooled % (size + 1)
        const sent = { ...script, breaksAt: script.breaksAt === null ? null : script.breaksAt + cut }
        const { reader, progress, spool, spoolTo } = await open(blob, {
          script: sent,
          size: knowsSize ? size : undefined,
        })
        await spoolTo(cut)
        const shown = Math.max(0, cut - 64 * KiB)
        const before = shown === 0 ? Buffer.alloc(0) : await drainSome(reader, readBefore % shown, read)
        progress.become({ at: 'without-room' })
        const rest = await drain(reader, before.length, Number.POSITIVE_INFINITY, read).catch(() => undefined)
        expect(rest !== undefined).toBe(isSound(sent, blob))
        if (rest) expect(Buffer.concat([before, rest]).equals(blob)).toBe(true)
        await spool.discard()
      }),
      { numRuns: 50 },
    )
  })
})

async function drainSome(
  reader: { read(position: number, buffer: Uint8Array): Promise<number> },
  end: number,
  step: number,
) {
  const chunks: Buffer[] = []
  for (let position = 0; position < end;) {
    const buffer = Buffer.alloc(Math.min(step, end - position))
    const count = await reader.read(position, buffer)
    chunks.push(buffer.subarray(0, count))
    position += count
  }
  return Buffer.concat(chunks)
}
