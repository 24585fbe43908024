import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createSharedBytes } from '../../src/registry/shared-bytes.ts'
import { heldMemory } from '../support/memory.ts'

const size = 1024 * 1024

describe('bytes that many are told', () => {
  test('are one buffer where they are equal', () => {
    const shared = createSharedBytes()
    const first = shared(randomBytes(size))
    expect(shared(Buffer.from(first))).toBe(first)
    const other = randomBytes(size)
    expect(shared(other)).toBe(other)
    expect(shared(Buffer.from(first))).toBe(first)
  })

  test('are held by nobody but those who read them', async () => {
    const shared = createSharedBytes()
    const before = heldMemory()
    for (let index = 0; index < 20; index += 1) shared(randomBytes(size))
    // What a WeakRef has given is held until the end of the turn.
    await expect.poll(() => heldMemory() - before).toBeLessThan(2 * size)
  })
})
