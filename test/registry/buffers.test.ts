import { expect, test } from 'vitest'
import { createBufferBudget } from '../../src/registry/buffers.ts'

const mebibyte = 1024 * 1024

test('one stream has two buffers of 1 MiB, which it uses in turns', () => {
  const { buffer } = createBufferBudget().enter()
  expect(buffer(0).length).toBe(mebibyte)
  expect(buffer(1).length).toBe(mebibyte)
  expect(buffer(1)).not.toBe(buffer(0))
  expect(buffer(2)).toBe(buffer(0))
})

test('buffers shrink as streams come and grow as they leave, down to 64 KiB', () => {
  const budget = createBufferBudget(16 * mebibyte)
  const first = budget.enter()
  const others = Array.from({ length: 63 }, () => budget.enter())
  expect(first.buffer(0).length).toBe(128 * 1024)
  const more = Array.from({ length: 2000 }, () => budget.enter())
  expect(first.buffer(0).length).toBe(64 * 1024)
  for (const stream of [...others, ...more]) {
    stream.leave()
    stream.leave()
  }
  expect(first.buffer(0).length).toBe(mebibyte)
})

test('the buffers of up to 512 streams stay under the budget', () => {
  const total = 64 * mebibyte
  for (const count of [1, 2, 3, 31, 32, 33, 64, 100, 511, 512]) {
    const budget = createBufferBudget(total)
    const streams = Array.from({ length: count }, () => budget.enter())
    const bytes = streams.reduce((sum, { buffer }) => sum + buffer(0).length + buffer(1).length, 0)
    expect(bytes).toBeLessThanOrEqual(total)
  }
})

test('no buffer is larger than its stream', () => {
  expect(createBufferBudget().enter(2048).buffer(0).length).toBe(2048)
  expect(createBufferBudget().enter(0).buffer(0).length).toBe(1)
})
