import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createSignIn, type SignInOptions } from '../../../src/registry/access/sign-in.ts'
import type { Comparison } from '../../../src/registry/access/bcrypt.ts'

interface Clockwork extends Partial<SignInOptions> {
  /** ms that a comparison takes. */
  takes?: number
}

/** Two users whose hashes are their passwords, and every comparison that was made. */
function open({ takes = 0, ...options }: Clockwork = {}) {
  const hashes = new Map([
    ['alice', 'right'],
    ['bob', 'bobs'],
  ])
  const compared: Comparison[] = []
  const warned: Record<string, unknown>[] = []
  const signIn = createSignIn({
    delay: 20,
    users: {
      hashFor: async (user) => ({ hash: hashes.get(user) ?? 'dummy', isKnown: hashes.has(user), cost: 12 }),
    },
    comparer: {
      async compare(comparison) {
        compared.push(comparison)
        for (const end = performance.now() + takes; performance.now() < end;) await setImmediate()
        return comparison.password === comparison.hash
      },
    },
    warn: (_message, fields) => warned.push(fields),
    ...options,
  })
  return { signIn, hashes, compared, warned }
}

async function timed(asked: Promise<boolean>): Promise<{ isRight: boolean; ms: number }> {
  const since = performance.now()
  return { isRight: await asked, ms: performance.now() - since }
}

const alice = { user: 'alice', password: 'right' }
const wrong = { user: 'alice', password: 'wrong' }

test('right credentials are compared once', async () => {
  const { signIn, compared } = open()
  expect(await signIn.isRight(alice, 'a')).toBe(true)
  expect(await signIn.isRight(alice, 'b')).toBe(true)
  expect(compared).toHaveLength(1)
})

test('the same credentials at the same time are compared once', async () => {
  const { signIn, compared } = open({ takes: 10 })
  const answers = await Promise.all(Array.from({ length: 50 }, () => signIn.isRight(alice, 'a')))
  expect(answers.every(Boolean)).toBe(true)
  expect(compared).toHaveLength(1)
})

test('equal wrong credentials of one address do not wait in any number: beyond the limit they are refused at once', async () => {
  const { signIn, compared } = open({ delay: 200, mostOfOne: 3 })
  const waiting = Array.from({ length: 3 }, () => signIn.isRight(wrong, 'a'))
  await expect.poll(() => compared).toHaveLength(1)
  const since = performance.now()
  for (let index = 0; index < 10; index += 1)
    await expect(signIn.isRight(wrong, 'a')).rejects.toMatchObject({ code: 'TOOMANYREQUESTS', retryAfter: 1 })
  expect(performance.now() - since).toBeLessThan(150)
  expect(await Promise.all(waiting)).toEqual([false, false, false])
  expect(compared).toHaveLength(1)
  expect(await signIn.isRight(alice, 'a')).toBe(true)
})

test('those that sit out the delay hold up no other address, and none that is known to be right', async () => {
  const { signIn } = open({ delay: 500, mostOfOne: 2 })
  await signIn.isRight(alice, 'b')
  const waiting = [signIn.isRight(wrong, 'a'), signIn.isRight({ user: 'bob', password: 'wrong' }, 'a')]
  expect(await signIn.isRight(alice, 'a')).toBe(true)
  await expect(signIn.isRight({ user: 'bob', password: 'bobs' }, 'a')).rejects.toMatchObject({
    code: 'TOOMANYREQUESTS',
  })
  expect(await signIn.isRight({ user: 'bob', password: 'bobs' }, 'b')).toBe(true)
  expect(await signIn.isRight({ user: 'bob', password: 'bobs' }, 'a')).toBe(true)
  expect(await Promise.all(waiting)).toEqual([false, false])
})

test('credentials that were right are not once their line has changed', async () => {
  const { signIn, hashes } = open()
  await signIn.isRight(alice, 'a')
  hashes.set('alice', 'another')
  expect(await signIn.isRight(alice, 'a')).toBe(false)
  hashes.delete('alice')
  expect(await signIn.isRight(alice, 'a')).toBe(false)
})

test('what was right is forgotten after a while', async () => {
  const { signIn, compared } = open({ rememberFor: 1 })
  await signIn.isRight(alice, 'a')
  await expect
    .poll(async () => {
      await signIn.isRight(alice, 'a')
      return compared.length
    })
    .toBeGreaterThan(1)
})

test('what one user has remembered opens nothing for another', async () => {
  const { signIn } = open()
  await signIn.isRight(alice, 'a')
  expect(await signIn.isRight({ user: 'bob', password: 'right' }, 'a')).toBe(false)
  expect(await signIn.isRight({ user: 'alicer', password: 'ight' }, 'a')).toBe(false)
})

test('an unknown user costs a comparison too, and cannot be right', async () => {
  const { signIn, compared } = open()
  expect(await signIn.isRight({ user: 'who', password: 'dummy' }, 'a')).toBe(false)
  expect(compared).toEqual([{ password: 'dummy', hash: 'dummy', cost: 12 }])
})

test('a password longer than bcrypt reads is wrong, though its first bytes are right', async () => {
  const { signIn, hashes } = open()
  const long = 'x'.repeat(73)
  hashes.set('alice', long)
  expect(await signIn.isRight({ user: 'alice', password: long }, 'a')).toBe(false)
})

test('a wrong answer waits, twice as long each time, and at most eight times', async () => {
  const { signIn } = open()
  const waits: number[] = []
  for (let index = 0; index < 6; index += 1) waits.push((await timed(signIn.isRight(wrong, 'a'))).ms)
  for (const [index, least] of [20, 40, 80, 160, 160, 160].entries()) expect(waits[index]).toBeGreaterThan(least - 2)
  expect(waits[5]).toBeLessThan(160 * 2)
})

test('the wrong attempts of one address delay no other', async () => {
  const { signIn } = open()
  for (let index = 0; index < 4; index += 1) await signIn.isRight(wrong, 'a')
  expect((await timed(signIn.isRight(wrong, 'b'))).ms).toBeLessThan(160)
})

test('right credentials do not wait, whatever was wrong before', async () => {
  const { signIn } = open({ delay: 1_000 })
  const late = signIn.isRight(wrong, 'a')
  const right = await timed(signIn.isRight(alice, 'a'))
  expect(right).toMatchObject({ isRight: true })
  expect(right.ms).toBeLessThan(900)
  await late
})

test('a wrong answer comes at a time that does not say how long the comparison took', async () => {
  const answers = [open({ delay: 500, takes: 0 }), open({ delay: 500, takes: 300 })].map(({ signIn }) =>
    timed(signIn.isRight(wrong, 'a')),
  )
  const [quick, slow] = await Promise.all(answers)
  expect(Math.abs((quick?.ms ?? 0) - (slow?.ms ?? 10_000))).toBeLessThan(200)
})

test('wrong credentials are counted, and told of once in a while, without the name of nobody', async () => {
  const { signIn, warned } = open({ delay: 1, warnEvery: 60_000 })
  await signIn.isRight({ user: 'hunter2', password: 'oops' }, '10.0.0.1')
  await signIn.isRight(wrong, '10.0.0.1')
  expect(signIn.failures()).toBe(2)
  const first = { user: 'unknown', address: '10.0.0.1', failures: 1, inAll: 1 }
  expect(warned).toEqual([first])
  signIn.close()
  expect(warned).toEqual([first, { user: 'alice', address: '10.0.0.1', failures: 1, inAll: 2 }])
})

test('none goes untold where no other follows', async () => {
  const { signIn, warned } = open({ delay: 1, warnEvery: 50 })
  for (const from of ['a', 'b', 'c']) await signIn.isRight(wrong, from)
  await expect.poll(() => warned).toMatchObject([{ failures: 1 }, { address: 'c', failures: 2, inAll: 3 }])
})

test('what is in use is not forgotten, so that a flood of wrong credentials does not hold it up', async () => {
  const { signIn, compared } = open({ rememberFor: 200 })
  for (const end = performance.now() + 500; performance.now() < end;) {
    await signIn.isRight(alice, 'a')
    await setImmediate()
  }
  expect(compared).toHaveLength(1)
})
