import { describe, expect, it } from 'vitest'
import type { ByteSource } from '../../src/oci/byte-source.ts'
import { createHealingSource } from '../../src/proxied/healing-source.ts'
import { drain } from './house.ts'

const good = Buffer.from('good bytes')

/** Fails at a position, as a disk does. */
function failingAt(position: number): ByteSource & { closed: number } {
  const source = {
    size: good.length,
    closed: 0,
    async read(at: number, buffer: Uint8Array) {
      if (source.closed > 0) throw new Error('The file is closed.')
      if (at >= position) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      return good.copy(buffer, 0, at, Math.min(position, at + buffer.length))
    },
    async close() {
      source.closed += 1
    },
  }
  return source
}

function heal(source: ByteSource, again: () => Promise<ByteSource | undefined> = async () => failingAt(99)) {
  const dropped: unknown[] = []
  return { dropped, healing: createHealingSource({ source, again, drop: async (error) => void dropped.push(error) }) }
}

describe('kept bytes that the disk cannot give', () => {
  it('are dropped and fetched anew where the client has none yet', async () => {
    const broken = failingAt(0)
    const { healing, dropped } = heal(broken)
    const buffer = Buffer.alloc(10)
    expect(await healing.read(0, buffer)).toBe(10)
    expect(buffer).toEqual(good)
    expect(dropped.length).toBe(1)
    expect(broken.closed).toBe(1)
  })

  it('are dropped, and the client broken off, where it has some already', async () => {
    let asked = 0
    const { healing, dropped } = heal(failingAt(5), async () => {
      asked += 1
      return failingAt(99)
    })
    await expect(drain(healing)).rejects.toThrow('EIO')
    expect(dropped.length).toBe(1)
    expect(asked).toBe(0)
  })

  it('and cannot be had elsewhere, are an error', async () => {
    const { healing } = heal(failingAt(0), async () => undefined)
    await expect(healing.read(0, Buffer.alloc(1))).rejects.toThrow('EIO')
    const { healing: other } = heal(failingAt(0), () => Promise.reject(new Error('unreachable')))
    await expect(other.read(0, Buffer.alloc(1))).rejects.toThrow('unreachable')
  })

  it('are not dropped because their reader was closed', async () => {
    const { healing, dropped } = heal(failingAt(99))
    await healing.close()
    await expect(healing.read(0, Buffer.alloc(1))).rejects.toThrow('closed')
    expect(dropped).toEqual([])
  })

  it('are not fetched for a reader that left meanwhile: what was opened is closed', async () => {
    const coming = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const other = failingAt(99)
    const { healing } = heal(failingAt(0), () => {
      asked.resolve()
      return coming.promise.then(() => other)
    })
    const reading = healing.read(0, Buffer.alloc(1))
    await asked.promise
    await healing.close()
    coming.resolve()
    await expect(reading).rejects.toThrow('EIO')
    expect(other.closed).toBe(1)
  })
})
