import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { StoreUnavailableError } from '../../src/store/errors.ts'
import { createLevelHandle, type Handle, type LevelHandle, type Write } from '../../src/store/level-handle.ts'
import { createReserve } from '../../src/store/reserve.ts'
import { temporaryDirectory } from './temporary.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

/** A database whose reopening does what `onReopen` says with the fresh handle. */
async function setUp(onReopen: (handle: Handle) => Promise<void>, retryAfter = 0): Promise<LevelHandle> {
  const directory = join(await temporaryDirectory(), 'catalog')
  const open = async () => {
    const handle: Handle = new Level<string, Buffer>(directory, { valueEncoding: 'buffer' })
    await handle.open()
    return handle
  }
  return createLevelHandle(await open(), {
    directory,
    open: async () => {
      const handle = await open()
      await onReopen(handle).catch(async (error: unknown) => {
        await handle.close()
        throw error
      })
      return handle
    },
    reserve: createReserve(`${directory}.reserve`, 0),
    probeBytes: 1000,
    retryAfter,
    onWriteError: () => {},
  })
}

function put(key: string, value: string): Write {
  return { type: 'put', key, value: Buffer.from(value) }
}

async function textAt(levels: LevelHandle, key: string): Promise<string> {
  return String(await levels.read((handle) => handle.get(key)))
}

describe('after a failed write', () => {
  test('what the replay of the log brings in of it is undone before anyone reads', async () => {
    const lost: Write[] = [put('changed', 'new'), put('added', 'new'), { type: 'del', key: 'deleted' }]
    const levels = await setUp((handle) => handle.batch(lost, { sync: true }))
    await levels.write([put('changed', 'old'), put('deleted', 'old'), put('other', 'old')])
    vi.stubEnv('ENTREPOT_TEST_FAILPOINT', 'level.batch-before:1=error:EIO')
    const failed = levels.write(lost)
    await expect(failed).rejects.toMatchObject({ code: 'EIO' })
    const values = await Promise.all(['changed', 'added', 'deleted', 'other'].map((key) => textAt(levels, key)))
    expect(values).toEqual(['old', 'undefined', 'old', 'old'])
    await levels.close()
  })

  test('a reopening that fails leaves reads and writes failing, not absent, until one succeeds', async () => {
    let broken = true
    const levels = await setUp(async () => {
      if (broken) throw new Error('The disk is away.')
    })
    await levels.write([put('a', '1')])
    vi.stubEnv('ENTREPOT_TEST_FAILPOINT', 'level.batch-before:1=error:EIO')
    await expect(levels.write([put('a', '2')])).rejects.toMatchObject({ code: 'EIO' })
    await expect(textAt(levels, 'a')).rejects.toBeInstanceOf(StoreUnavailableError)
    await expect(levels.write([put('a', '3')])).rejects.toThrow('The disk is away.')
    broken = false
    expect(await textAt(levels, 'a')).toBe('1')
    await levels.write([put('a', '4')])
    expect(await textAt(levels, 'a')).toBe('4')
    await levels.close()
  })

  test('reopening is tried at most once in the time that is set', async () => {
    let tries = 0
    const levels = await setUp(async () => {
      tries += 1
      throw new Error('The disk is away.')
    }, 3_600_000)
    await levels.write([put('a', '0')])
    vi.stubEnv('ENTREPOT_TEST_FAILPOINT', 'level.batch-before:1=error:EIO')
    for (let call = 0; call < 5; call += 1) await expect(levels.write([put('a', '1')])).rejects.toThrow(/EIO|away/)
    expect(tries).toBe(1)
    await levels.close()
  })
})
