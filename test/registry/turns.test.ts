/** Places for many clients, of which none gets more than its share. */
import { expect, test } from 'vitest'
import { createTurns } from '../../src/registry/turns.ts'

test('a client that holds its share waits; the others do not', async () => {
  const { entered, enter } = watched({ most: 4, share: 2 })
  for (const client of ['a', 'a', 'a', 'a', 'b']) enter(client)
  await expect.poll(() => entered).toEqual(['a', 'a', 'b'])
})

test('places go to those who may have them, in the order in which they came', async () => {
  const { turns, entered, enter } = watched({ most: 2, share: 1 })
  for (const client of ['a', 'b', 'a', 'c', 'b']) enter(client)
  await expect.poll(() => entered).toEqual(['a', 'b'])
  turns.leave('b')
  await expect.poll(() => entered).toEqual(['a', 'b', 'c'])
  turns.leave('a')
  turns.leave('c')
  await expect.poll(() => entered).toEqual(['a', 'b', 'c', 'a', 'b'])
})

test('there are never more inside than there are places', async () => {
  const { turns, entered, enter } = watched({ most: 3, share: 2 })
  for (let number = 0; number < 50; number += 1) enter(`client ${number % 7}`)
  for (let left = 0; left < 50; left += 1) {
    await expect.poll(() => entered.length).toBe(Math.min(50, left + 3))
    turns.leave(entered[left] ?? '')
  }
})

function watched(options: { most: number; share: number }) {
  const turns = createTurns(options)
  const entered: string[] = []
  return { turns, entered, enter: (client: string) => void turns.enter(client).then(() => entered.push(client)) }
}
