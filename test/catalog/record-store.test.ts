import { describe, expect, it } from 'vitest'
import { createRecordStore } from '../../src/catalog/record-store.ts'
import { encode } from '../../src/catalog/records.ts'
import type { KeyValue, Operation } from '../../src/store/key-value.ts'

/** A store that can be slow and can fail: what must misbehave. */
function fakeStore() {
  const pairs = new Map<string, Uint8Array>()
  const state = { reads: 0, failing: false, hold: undefined as Promise<void> | undefined }
  const store: KeyValue = {
    async get(key) {
      state.reads += 1
      const value = pairs.get(key)
      await state.hold
      return value
    },
    async batch(operations: Operation[]) {
      await new Promise((resolve) => setImmediate(resolve))
      if (state.failing) throw new Error('disk full')
      for (const operation of operations) {
        if ('put' in operation) pairs.set(operation.put, operation.value)
        else pairs.delete(operation.delete)
      }
    },
    async *scan() {},
    async close() {},
  }
  return { store, state, pairs }
}

const put = (key: string, value: object) => [{ put: key, value: encode(value) }]

describe('records', () => {
  it('read again come from memory', async () => {
    const { store, state } = fakeStore()
    const records = createRecordStore(store)
    await records.write(put('a', { n: 1 }))
    expect(await records.read('a')).toEqual({ n: 1 })
    expect(await records.read('a')).toEqual({ n: 1 })
    expect(state.reads).toBe(1)
  })

  it('are what the last write made of them', async () => {
    const { store } = fakeStore()
    const records = createRecordStore(store)
    await records.write(put('a', { n: 1 }))
    await records.read('a')
    await records.write(put('a', { n: 2 }))
    expect(await records.read('a')).toEqual({ n: 2 })
    await records.write([{ delete: 'a' }])
    expect(await records.read('a')).toBeUndefined()
  })

  it('stay what they were where a write fails', async () => {
    const { store, state } = fakeStore()
    const records = createRecordStore(store)
    await records.write(put('a', { n: 1 }))
    state.failing = true
    await expect(records.write(put('a', { n: 2 }))).rejects.toThrow('disk full')
    expect(await records.read('a')).toEqual({ n: 1 })
  })

  it('that a write overtook while they were read are not remembered', async () => {
    const { store, state } = fakeStore()
    const records = createRecordStore(store)
    await records.write(put('a', { n: 1 }))
    const slow = Promise.withResolvers<void>()
    state.hold = slow.promise
    const old = records.read('a')
    state.hold = undefined
    await records.write(put('a', { n: 2 }))
    slow.resolve()
    expect(await old).toEqual({ n: 1 })
    expect(await records.read('a')).toEqual({ n: 2 })
  })

  it('take no more memory than they may: one that is larger than all of it is read each time', async () => {
    const { store, state } = fakeStore()
    const records = createRecordStore(store, 10_000)
    await records.write(put('tags', { tags: Array.from({ length: 5_000 }, (_, index) => `tag-${index}`) }))
    await records.read('tags')
    await records.read('tags')
    expect(state.reads).toBe(2)
    for (let index = 0; index < 100; index += 1) {
      await records.write(put(`k${index}`, { index }))
      await records.read(`k${index}`)
    }
    const before = state.reads
    await records.read('k99')
    expect(state.reads).toBe(before)
    await records.read('k0')
    expect(state.reads).toBe(before + 1)
  })
})
