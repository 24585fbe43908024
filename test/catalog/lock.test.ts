import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLock } from '../../src/catalog/lock.ts'

describe('the lock per digest', () => {
  it('lets one at a time work on a key, in the order of asking, and others work on other keys meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 }),
        async (scheduler, asked) => {
          const lock = createLock()
          const busy = new Set<string>()
          const done: Record<string, number[]> = { a: [], b: [], c: [] }
          const works = asked.map((key, index) =>
            lock(key, async () => {
              expect(busy.has(key)).toBe(false)
              busy.add(key)
              await scheduler.schedule(Promise.resolve())
              busy.delete(key)
              done[key]?.push(index)
            }),
          )
          await scheduler.waitFor(Promise.all(works))
          for (const key of ['a', 'b', 'c']) {
            expect(done[key]).toEqual(asked.flatMap((other, index) => (other === key ? [index] : [])))
          }
        },
      ),
    )
  })

  it('goes on after work that failed, and its failure is its own', async () => {
    const lock = createLock()
    const failing = lock('a', () => Promise.reject(new Error('no')))
    const next = lock('a', async () => 'yes')
    await expect(failing).rejects.toThrow('no')
    expect(await next).toBe('yes')
  })
})
