import { describe, expect, it } from 'vitest'
import { createUses } from '../../src/catalog/uses.ts'
import { digestOf } from '../../src/oci/digest.ts'
import type { KeyValue } from '../../src/store/key-value.ts'
import { openShelf } from './shelf.ts'

const one = digestOf(Buffer.from('one'))
const two = digestOf(Buffer.from('two'))

describe('uses', () => {
  it('are known at once, and after a restart once they are written', async () => {
    const { store } = await openShelf()
    let now = 1
    const uses = createUses(store, () => now)
    uses.touch(one)
    now = 2
    uses.touch(one)
    uses.touch(two)
    expect(await uses.all()).toEqual(
      new Map([
        [one, 2],
        [two, 2],
      ]),
    )
    await uses.close()
    expect(await createUses(store, () => now).all()).toEqual(
      new Map([
        [one, 2],
        [two, 2],
      ]),
    )
  })

  it('are known while they are being written', async () => {
    const { store } = await openShelf()
    const writing = Promise.withResolvers<void>()
    const slow: KeyValue = { ...store, batch: (operations) => writing.promise.then(() => store.batch(operations)) }
    const uses = createUses(slow, () => 5)
    uses.touch(one)
    const flushed = uses.flush()
    expect(await uses.all()).toEqual(new Map([[one, 5]]))
    writing.resolve()
    await flushed
    await uses.close()
  })

  it('that could not be written are written by the next flush', async () => {
    const { store } = await openShelf()
    let failing = true
    const uses = createUses(
      { ...store, batch: (operations) => (failing ? Promise.reject(new Error('disk full')) : store.batch(operations)) },
      () => 5,
    )
    uses.touch(one)
    await expect(uses.flush()).rejects.toThrow('disk full')
    failing = false
    await uses.close()
    expect(await createUses(store, () => 6).all()).toEqual(new Map([[one, 5]]))
  })

  it('of what is kept no more are not written', async () => {
    const { store } = await openShelf()
    const uses = createUses(store, () => 5)
    uses.touch(one)
    uses.forget(one)
    await uses.close()
    expect(await createUses(store, () => 6).all()).toEqual(new Map())
  })
})
