import { describe, expect, test } from 'vitest'
import { createSyncAhead } from '../../src/store/sync-ahead.ts'

const mebibyte = 1024 * 1024

/** A handle whose fsyncs end when they are told to. */
function slowHandle() {
  const asked: PromiseWithResolvers<void>[] = []
  const datasync = () => {
    const sync = Promise.withResolvers<void>()
    asked.push(sync)
    return sync.promise
  }
  return { handle: { datasync }, asked }
}

describe('a file that grows', () => {
  test('is made durable in steps of 32 MiB, one at a time', async () => {
    const { handle, asked } = slowHandle()
    const ahead = createSyncAhead(handle, 5 * mebibyte)
    ahead.reached(36 * mebibyte)
    expect(asked).toHaveLength(0)
    ahead.reached(37 * mebibyte)
    ahead.reached(100 * mebibyte)
    expect(asked).toHaveLength(1)
    asked[0]?.resolve()
    await ahead.settled()
    ahead.reached(100 * mebibyte)
    expect(asked).toHaveLength(2)
    asked[1]?.resolve()
    await ahead.settled()
  })

  test('whose disk failed once is not believed any more', async () => {
    const { handle, asked } = slowHandle()
    const ahead = createSyncAhead(handle, 0)
    ahead.reached(32 * mebibyte)
    asked[0]?.reject(new Error('EIO'))
    await expect(ahead.settled()).rejects.toThrow('EIO')
    ahead.reached(64 * mebibyte)
    expect(asked).toHaveLength(1)
    await expect(ahead.settled()).rejects.toThrow('EIO')
  })
})
