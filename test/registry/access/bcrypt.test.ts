import { monitorEventLoopDelay } from 'node:perf_hooks'
import { hashSync } from 'bcryptjs'
import { expect, onTestFinished, test } from 'vitest'
import { type ComparerOptions, createComparer } from '../../../src/registry/access/bcrypt.ts'
import { cheapHash } from './house.ts'

function open(options?: ComparerOptions) {
  const comparer = createComparer(options)
  onTestFinished(() => comparer.close())
  return comparer
}

const hash = cheapHash('secret')

test('compares with the hashes of bcrypt in all its spellings', async () => {
  const comparer = open()
  for (const spelling of ['$2a$', '$2b$', '$2y$']) {
    const spelled = spelling + hash.slice(4)
    expect(await comparer.compare({ password: 'secret', hash: spelled, cost: 4 }, 'a')).toBe(true)
    expect(await comparer.compare({ password: 'Secret', hash: spelled, cost: 4 }, 'a')).toBe(false)
  }
})

test('whoever asks once does not wait for all that another has asked', async () => {
  const comparer = open()
  const order: string[] = []
  const dear = hashSync('secret', 8)
  const many = Array.from({ length: 8 }, () =>
    comparer.compare({ password: 'x', hash: dear, cost: 4 }, 'many').then(() => order.push('many')),
  )
  const one = comparer.compare({ password: 'secret', hash, cost: 4 }, 'one').then(() => order.push('one'))
  await Promise.all([...many, one])
  expect(order.indexOf('one')).toBeLessThan(3)
})

test('too many that wait are refused: of one, and in all', async () => {
  const comparer = open({ mostOfOne: 2, most: 3 })
  const ask = (from: string) => comparer.compare({ password: 'secret', hash, cost: 4 }, from)
  const asked = ['a', 'a', 'a', 'a', 'b', 'c', 'd'].map(ask)
  const settled = await Promise.allSettled(asked)
  // The first of them is not waiting any more; the third made way for c.
  expect(settled.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, false, true, true, false])
  await expect(asked[3]).rejects.toMatchObject({ code: 'TOOMANYREQUESTS', status: 429, retryAfter: 1 })
  expect(await ask('a')).toBe(true)
})

test('where too many wait in all, whoever has the most waiting makes way for whoever has less', async () => {
  const comparer = open({ most: 6 })
  const ask = (from: string) => comparer.compare({ password: 'secret', hash, cost: 4 }, from)
  const flood = Array.from({ length: 7 }, () => ask('flood'))
  const settled = Promise.allSettled(flood)
  expect(await Promise.all([ask('one'), ask('other')])).toEqual([true, true])
  expect((await settled).map(({ status }) => status === 'fulfilled')).toEqual([
    true,
    true,
    true,
    true,
    true,
    false,
    false,
  ])
})

test('a wrong password takes as long with a cheap hash as with a dear one, a right one no longer than its own', async () => {
  const comparer = open()
  const time = async (password: string, comparedWith: string) => {
    const since = performance.now()
    await comparer.compare({ password, hash: comparedWith, cost: 10 }, 'a')
    return performance.now() - since
  }
  const dear = hashSync('secret', 10)
  const shortest = { cheapWrong: Infinity, dearWrong: Infinity, cheapRight: Infinity }
  for (let round = 0; round < 6; round += 1) {
    shortest.cheapWrong = Math.min(shortest.cheapWrong, await time('x', hash))
    shortest.dearWrong = Math.min(shortest.dearWrong, await time('x', dear))
    shortest.cheapRight = Math.min(shortest.cheapRight, await time('secret', hash))
  }
  // Without the rest of the cost it would be a 64th.
  const ratio = shortest.cheapWrong / shortest.dearWrong
  expect([ratio > 0.5, ratio < 2]).toEqual([true, true])
  expect(shortest.cheapRight).toBeLessThan(shortest.dearWrong / 4)
})

test('comparing does not hold up the event loop', async () => {
  const comparer = open()
  const dear = hashSync('secret', 11)
  await comparer.compare({ password: 'secret', hash, cost: 4 }, 'a')
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const since = performance.now()
  for (let index = 0; index < 4; index += 1) await comparer.compare({ password: 'x', hash: dear, cost: 4 }, 'a')
  const took = performance.now() - since
  delay.disable()
  expect(took).toBeGreaterThan(100)
  expect(delay.percentile(90) / 1e6).toBeLessThan(took / 8)
})

test('whoever waits when it ends is told so', async () => {
  const comparer = createComparer()
  const asked = Promise.allSettled([1, 2].map(() => comparer.compare({ password: 'secret', hash, cost: 4 }, 'a')))
  await comparer.close()
  for (const one of await asked) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } })
})
