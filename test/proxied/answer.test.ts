import { describe, expect, it } from 'vitest'
import { UpstreamError } from '../../src/oci/errors.ts'
import { type AnswerOptions, createAnswer, type KeptAnswer, type Question } from '../../src/proxied/answer.ts'

const unreachable = () => new UpstreamError('upstream.test', 'unreachable', 'UPSTREAM_TIMEOUT', 'No answer.')

/** One question over a record that asking writes, and an upstream that the test speaks for. */
function open(options: Partial<AnswerOptions> = {}) {
  const state = {
    now: 1_000_000,
    asked: 0,
    record: undefined as { value: string; checkedAt: number } | undefined,
    complete: true,
    upstream: async (): Promise<string | undefined> => 'new',
    lookingUp: async (): Promise<void> => {},
    warnings: [] as string[],
  }
  const answer = createAnswer<string>({
    upstream: { name: 'upstream.test' },
    offline: false,
    onUpstreamGone: 'keep',
    onUpstreamDenied: 'keep',
    now: () => state.now,
    warn: (message) => state.warnings.push(message),
    ...options,
  })
  const question: Question<string> = {
    key: 'tag app 1.0',
    freshFor: 60_000,
    unknown: 'MANIFEST_UNKNOWN',
    async kept(): Promise<KeptAnswer<string> | undefined> {
      const { record } = state
      await state.lookingUp()
      return record && { ...record, isComplete: async () => state.complete }
    },
    async ask(kept) {
      state.asked += 1
      const value = await state.upstream()
      if (value === undefined) return undefined
      state.record = { value, checkedAt: state.now }
      return { value, changed: value !== kept?.value }
    },
  }
  return { state, ask: () => answer(question) }
}

describe('a question', () => {
  it('is asked once, however many ask it at the same time', async () => {
    const { state, ask } = open()
    const answers = await Promise.all(Array.from({ length: 50 }, ask))
    expect(state.asked).toBe(1)
    expect(answers.filter((told) => told?.cache === 'joined').length).toBe(49)
  })

  it('whose asking fails while something is kept is told to the operator, once in 10 s', async () => {
    const { state, ask } = open()
    await ask()
    state.now += 60_000
    state.upstream = async () => {
      throw unreachable()
    }
    for (let turn = 0; turn < 3; turn += 1) expect(await ask()).toMatchObject({ cache: 'stale' })
    expect(state.warnings).toEqual(['no answer from upstream.test about what is kept: tag app 1.0'])
    state.now += 10_000
    await ask()
    expect(state.warnings.length).toBe(2)
  })

  it('is not asked again by one who looked before the answer was kept and came back after', async () => {
    const { state, ask } = open()
    const looked = Promise.withResolvers<void>()
    state.lookingUp = () => looked.promise
    const slow = ask()
    state.lookingUp = async () => {}
    await ask()
    looked.resolve()
    expect(await slow).toMatchObject({ value: 'new', cache: 'hit' })
    expect(state.asked).toBe(1)
  })

  it('that is fresh is not asked; stale and unchanged it is asked once for all, and then fresh', async () => {
    const { state, ask } = open()
    state.record = { value: 'new', checkedAt: state.now }
    state.now += 59_999
    expect(await ask()).toEqual({ value: 'new', cache: 'hit', age: 59 })
    expect(state.asked).toBe(0)
    state.now += 1
    await Promise.all(Array.from({ length: 50 }, ask))
    await ask()
    expect(state.asked).toBe(1)
  })

  it('that failed rests for 10 s where something is kept', async () => {
    const { state, ask } = open()
    state.record = { value: 'old', checkedAt: 0 }
    state.upstream = () => Promise.reject(unreachable())
    expect(await ask()).toMatchObject({ value: 'old', cache: 'stale' })
    state.now += 9_999
    expect(await ask()).toMatchObject({ value: 'old', cache: 'stale' })
    expect(state.asked).toBe(1)
    state.now += 1
    await ask()
    expect(state.asked).toBe(2)
  })

  it('that failed where nothing is kept is asked again at once', async () => {
    const { state, ask } = open()
    state.upstream = () => Promise.reject(unreachable())
    await expect(ask()).rejects.toMatchObject({ trouble: 'unreachable' })
    state.upstream = async () => 'new'
    expect(await ask()).toMatchObject({ value: 'new', cache: 'miss' })
  })

  it('keeps nobody waiting longer than the deadline, and its late answer counts', async () => {
    const { state, ask } = open({ deadline: 20 })
    state.record = { value: 'old', checkedAt: 0 }
    const late = Promise.withResolvers<string>()
    state.upstream = () => late.promise
    const waited = await Promise.all([ask(), ask(), ask()])
    expect(waited.every((told) => told?.cache === 'stale')).toBe(true)
    expect(await ask()).toMatchObject({ cache: 'stale' })
    expect(state.asked).toBe(1)
    late.resolve('new')
    await expect.poll(ask).toMatchObject({ value: 'new', cache: 'hit' })
    expect(state.asked).toBe(1)
  })

  it('whose absence was told is not asked for 10 s, and where something is kept that is served', async () => {
    const { state, ask } = open()
    state.upstream = async () => undefined
    expect(await ask()).toBeUndefined()
    expect(await ask()).toBeUndefined()
    expect(state.asked).toBe(1)
    state.now += 10_000
    state.record = { value: 'old', checkedAt: 0 }
    expect(await ask()).toMatchObject({ value: 'old', cache: 'stale' })
    expect(state.asked).toBe(2)
  })

  it('is neither fresh nor at rest for ever where the clock is set back', async () => {
    const { state, ask } = open()
    state.upstream = async () => undefined
    await ask()
    state.now -= 3_600_000
    state.upstream = async () => 'new'
    expect(await ask()).toMatchObject({ value: 'new' })
    state.now -= 3_600_000
    await ask()
    expect(state.asked).toBe(3)
  })

  it('about what is kept but incomplete is denied by an attempt of its own only, not by one that rests', async () => {
    const { state, ask } = open()
    state.record = { value: 'old', checkedAt: 0 }
    state.complete = false
    state.upstream = () => Promise.reject(unreachable())
    await expect(ask()).rejects.toMatchObject({ status: 504 })
    await expect(ask()).rejects.toMatchObject({ status: 504 })
    expect(state.asked).toBe(2)
    state.upstream = async () => 'new'
    expect(await ask()).toMatchObject({ value: 'new', cache: 'miss' })
  })

  it('offline is never asked', async () => {
    const { state, ask } = open({ offline: true })
    await expect(ask()).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    state.record = { value: 'old', checkedAt: 0 }
    expect(await ask()).toMatchObject({ value: 'old', cache: 'hit' })
    state.complete = false
    await expect(ask()).rejects.toMatchObject({ status: 404 })
    expect(state.asked).toBe(0)
  })

  it('fails with what is no upstream trouble, kept or not', async () => {
    const { state, ask } = open()
    state.record = { value: 'old', checkedAt: 0 }
    state.upstream = () => Promise.reject(new TypeError('a bug'))
    await expect(ask()).rejects.toThrow('a bug')
  })
})
