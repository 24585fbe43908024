import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KeyValue } from '../../src/store/key-value.ts'

export interface OpenedKeyValue {
  /** Empty. */
  store: KeyValue
  /** Opens what a closed store left. */
  reopen(): Promise<KeyValue>
  remove(): Promise<void>
}

/** What every driver of KeyValue must do; `open` makes a new empty store for each test. */
export function keyValueConformance(name: string, open: () => Promise<OpenedKeyValue>): void {
  describe(`KeyValue: ${name}`, () => {
    let opened: OpenedKeyValue
    let store: KeyValue

    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(async () => {
      await store.close()
      await opened.remove()
    })

    test('a key that was never written is absent', async () => {
      expect(await store.get('a')).toBeUndefined()
    })

    test('a value comes back byte for byte', async () => {
      const values = [new Uint8Array(), Uint8Array.from([0, 255, 10]), Buffer.alloc(100_000, 'x')]
      await store.batch(values.map((value, index) => ({ put: `k${index}`, value })))
      for (const [index, value] of values.entries())
        expect(bytesOf(await store.get(`k${index}`))).toEqual(bytesOf(value))
    })

    test('a batch may put and delete, and its last operation on a key wins', async () => {
      await store.batch([put('a', '1'), put('b', '1')])
      await store.batch([
        { delete: 'a' },
        put('b', '2'),
        put('b', '3'),
        put('c', '1'),
        { delete: 'c' },
        { delete: 'never' },
      ])
      expect(await all(store, '')).toEqual([['b', '3']])
    })

    test('an empty batch settles', async () => {
      await store.batch([])
      expect(await all(store, '')).toEqual([])
    })

    test('batches that are not waited for happen in the order of the calls', async () => {
      const batches = Array.from({ length: 300 }, (_, index) =>
        store.batch([put('a', `${index}`), put(`n${index}`, '')]),
      )
      await Promise.all(batches)
      expect(textOf(await store.get('a'))).toBe('299')
      expect(await all(store, 'n')).toHaveLength(300)
    })

    test('a scan gives the keys with the prefix, the prefix itself among them, in the order of their UTF-8 bytes', async () => {
      const keys = ['p', 'p/', 'p/a', 'p/ab', 'p/b', 'p/\u{ff5e}', 'p/\u{1f600}']
      await store.batch(['o', 'q', 'P/', ...keys.toReversed()].map((key) => put(key, key)))
      expect((await all(store, 'p')).map(([key]) => key)).toEqual(keys)
      expect((await all(store, 'p/a')).map(([key]) => key)).toEqual(['p/a', 'p/ab'])
      expect(await all(store, '')).toHaveLength(10)
      expect(await all(store, 'x')).toEqual([])
    })

    test('a scan of thousands of records gives each once', async () => {
      const keys = Array.from({ length: 3000 }, (_, index) => `k${index.toString().padStart(5, '0')}`)
      await store.batch(keys.map((key) => put(key, key)))
      expect((await all(store, 'k')).map(([key]) => key)).toEqual(keys)
    })

    test('a scan shows the records as they stood when it started', async () => {
      await store.batch([put('a', 'old'), put('b', 'old'), put('c', 'old')])
      const seen: string[] = []
      for await (const [key, value] of store.scan('')) {
        seen.push(`${key}=${textOf(value)}`)
        if (key === 'a') await store.batch([put('b', 'new'), { delete: 'c' }, put('d', 'new')])
      }
      expect(seen).toEqual(['a=old', 'b=old', 'c=old'])
      expect(await all(store, '')).toEqual([
        ['a', 'old'],
        ['b', 'new'],
        ['d', 'new'],
      ])
    })

    test('a scan never shows a part of a batch', async () => {
      const writes: Promise<void>[] = []
      for (let round = 0; round < 50; round += 1) {
        writes.push(store.batch([put('a', `${round}`), put('z', `${round}`)]))
        const values = (await all(store, '')).map(([, value]) => value)
        expect(new Set(values).size).toBeLessThan(2)
      }
      await Promise.all(writes)
    })

    test('a scan that is left early holds nothing up', async () => {
      await store.batch([put('a', '1'), put('b', '1')])
      for await (const [key] of store.scan('')) {
        expect(key).toBe('a')
        break
      }
      await store.batch([put('c', '1')])
      await store.close()
      store = await opened.reopen()
      expect(await all(store, '')).toHaveLength(3)
    })

    test('what was written is there after a restart', async () => {
      await store.batch([put('a', '1'), put('b', '1')])
      await store.batch([{ delete: 'a' }, put('b', '2')])
      await store.close()
      store = await opened.reopen()
      expect(await all(store, '')).toEqual([['b', '2']])
    })

    test('closing waits for the batches under way, and closes once', async () => {
      const batches = Array.from({ length: 20 }, (_, index) => store.batch([put(`k${index}`, '')]))
      await Promise.all([store.close(), store.close()])
      await Promise.all(batches)
      store = await opened.reopen()
      expect(await all(store, '')).toHaveLength(20)
    })

    test('a closed store refuses every call', async () => {
      await store.close()
      await expect(store.get('a')).rejects.toThrow('closed')
      await expect(store.batch([put('a', '1')])).rejects.toThrow('closed')
      await expect(all(store, '')).rejects.toThrow('closed')
    })

    test('any sequence of batches leaves what the same sequence leaves in a map', async () => {
      const key = fc.constantFrom('a', 'a/b', 'a/c', 'b', 'ä', '\u{1f600}')
      const operation = fc.oneof(
        fc.record({ put: key, value: fc.uint8Array({ maxLength: 40 }) }),
        fc.record({ delete: key }),
      )
      const model = new Map<string, string>()
      const property = fc.asyncProperty(fc.array(operation, { maxLength: 8 }), async (operations) => {
        await store.batch(operations)
        for (const each of operations) {
          if ('put' in each) model.set(each.put, textOf(each.value))
          else model.delete(each.delete)
        }
        const sorted = [...model].toSorted(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
        expect(await all(store, '')).toEqual(sorted)
      })
      await fc.assert(property, { numRuns: 60, endOnFailure: true })
    })
  })
}

function put(key: string, value: string) {
  return { put: key, value: Buffer.from(value) }
}

async function all(store: KeyValue, prefix: string): Promise<[string, string][]> {
  const records: [string, string][] = []
  for await (const [key, value] of store.scan(prefix)) records.push([key, textOf(value)])
  return records
}

function textOf(value: Uint8Array | undefined): string {
  return Buffer.from(value ?? []).toString('latin1')
}

function bytesOf(value: Uint8Array | undefined): Buffer | undefined {
  return value === undefined ? undefined : Buffer.from(value)
}
