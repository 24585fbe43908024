import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRoom, type Reservation, type RoomOptions } from '../../src/catalog/room.ts'
import { temporaryDirectory } from '../store/temporary.ts'

async function openRoom(maxSize: number, more: Partial<RoomOptions> = {}) {
  return createRoom({ maxSize, folder: await temporaryDirectory(), minFree: 0, evict: async () => 0, ...more })
}

describe('room', () => {
  it('is given once: of two at the same time that do not fit together one gets it', async () => {
    const room = await openRoom(100)
    const taken = await Promise.all([room.reserve(60), room.reserve(60)])
    expect(taken.filter((reservation) => reservation !== undefined).length).toBe(1)
    expect(room.used()).toBe(60)
  })

  it('is made by eviction, of exactly what is missing', async () => {
    const asked: number[] = []
    const room = await openRoom(1000, {
      evict: async (bytes) => {
        asked.push(bytes)
        room.count(-bytes)
        return bytes
      },
    })
    room.count(900)
    expect(await room.reserve(150)).toBeDefined()
    expect(asked[0]).toBe(50)
    expect(room.used()).toBeLessThanOrEqual(1000)
  })

  it('is relieved beside everything else above 95 %, down to 85 %, also by what came without a reservation', async () => {
    const asked: number[] = []
    const relieved = Promise.withResolvers<void>()
    const room = await openRoom(1000, {
      evict: async (bytes) => {
        asked.push(bytes)
        room.count(-bytes)
        relieved.resolve()
        return bytes
      },
    })
    room.count(960)
    await relieved.promise
    expect(asked).toEqual([110])
    expect(room.used()).toBe(850)
  })

  it('that nothing can relieve is not looked for again before some more has come', async () => {
    let evictions = 0
    const room = await openRoom(1000, { evict: async () => (evictions += 1) * 0 })
    room.count(960)
    await expect.poll(() => evictions).toBe(1)
    for (let index = 0; index < 9; index += 1) expect(await room.reserve(1)).toBeDefined()
    expect(evictions).toBe(1)
    room.count(1)
    expect(evictions).toBe(2)
  })

  it('that nothing can make is no error, and asks for no eviction where it could never be', async () => {
    let evictions = 0
    const room = await openRoom(100, { evict: async () => (evictions += 1) * 0 })
    expect(await room.reserve(101)).toBeUndefined()
    expect(evictions).toBe(0)
    room.count(90)
    expect(await room.reserve(50)).toBeUndefined()
    expect(room.used()).toBe(90)
  })

  it('on a disk that must keep more free than it has is none', async () => {
    const room = await openRoom(1000, { minFree: Number.MAX_SAFE_INTEGER })
    expect(await room.reserve(1)).toBeUndefined()
  })

  it('that is reserved and not written yet counts against the free space of the disk', async () => {
    const free = await import('node:fs/promises').then((fs) => fs.statfs('/tmp'))
    const spare = 1024 ** 3
    const minFree = free.bavail * free.bsize - spare
    const room = createRoom({ maxSize: 10 * spare, folder: '/tmp', minFree, evict: async () => 0 })
    const taken = await Promise.all([room.reserve(0.6 * spare), room.reserve(0.6 * spare)])
    expect(taken.filter((reservation) => reservation !== undefined).length).toBe(1)
  })

  it('of a partial becomes the reservation, or stays what it is', async () => {
    const room = await openRoom(100)
    room.count(80)
    const reservation = await room.reserve(90, 80)
    expect(room.used()).toBe(90)
    expect(await room.reserve(30, 10)).toBeUndefined()
    expect(room.used()).toBe(90)
    reservation?.release()
    expect(room.used()).toBe(0)
  })

  it('ends once: a release after the bytes became content gives nothing back', async () => {
    const room = await openRoom(100)
    const reservation = await room.reserve(50)
    reservation?.keep(40)
    reservation?.release()
    reservation?.release()
    expect(room.used()).toBe(40)
    expect(reservation?.bytes).toBe(0)
  })

  it('is never passed, whatever comes at once, and ends at what is kept', async () => {
    const step = fc.record({
      bytes: fc.integer({ min: 0, max: 60 }),
      grow: fc.integer({ min: 0, max: 30 }),
      keep: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 8 }), async (waves) => {
        const maxSize = 100
        let kept = 0
        const room = await openRoom(maxSize, {
          // Half of what is kept may go.
          async evict(bytes) {
            const freed = Math.min(bytes, Math.floor(kept / 2))
            kept -= freed
            room.count(-freed)
            return freed
          },
        })
        const check = () => expect(room.used()).toBeLessThanOrEqual(maxSize)
        async function use({ bytes, grow, keep }: { bytes: number; grow: number; keep: boolean }) {
          const reservation: Reservation | undefined = await room.reserve(bytes)
          check()
          if (!reservation) return
          await reservation.grow(grow)
          check()
          if (keep) {
            kept += reservation.bytes
            reservation.keep(reservation.bytes)
          } else reservation.release()
          check()
        }
        for (const wave of waves) await Promise.all(wave.map(use))
        await room.reserve(0)
        expect(room.used()).toBe(kept)
      }),
      { numRuns: 60 },
    )
  })
})
