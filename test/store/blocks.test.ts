import { expect, test } from 'vitest'
import { type Blocks, createBlocks } from '../../src/store/blocks.ts'

const mebibyte = 1024 * 1024

/** Fills one block from its start to its end. @returns its bytes */
function fillOne(blocks: Blocks): number {
  const chunk = Buffer.alloc(16 * 1024)
  while (blocks.hasRoom()) blocks.fill(chunk)
  return blocks.swap().length
}

test('the first block is small, the next ones are large', () => {
  const blocks = createBlocks()
  expect([fillOne(blocks), fillOne(blocks), fillOne(blocks)]).toEqual([64 * 1024, mebibyte, mebibyte])
  blocks.release()
})

test('many share what few have, and what ends makes room for the others', () => {
  const many = Array.from({ length: 64 }, createBlocks)
  for (const blocks of many) fillOne(blocks)
  expect(many.map(fillOne)).toEqual(many.map(() => 256 * 1024))
  const [one, ...others] = many
  for (const blocks of others) blocks.release()
  expect(one && fillOne(one)).toBe(mebibyte)
  one?.release()
})

test('however many there are, a block is never smaller than the first', () => {
  const many = Array.from({ length: 600 }, createBlocks)
  for (const blocks of many) fillOne(blocks)
  expect(new Set(many.map(fillOne))).toEqual(new Set([64 * 1024]))
  for (const blocks of many) blocks.release()
})

test('what was released is counted once', () => {
  const blocks = createBlocks()
  for (let round = 0; round < 100; round += 1) {
    fillOne(blocks)
    blocks.release()
    blocks.release()
  }
  fillOne(blocks)
  expect(fillOne(blocks)).toBe(mebibyte)
  blocks.release()
})
