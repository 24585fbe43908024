import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { appendAll, spoolDirectory, tail } from './spool-directory.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('a spool', () => {
  test('holds what was appended, in order, and seals with its digest', async () => {
    const { spools } = await spoolDirectory()
    const bytes = randomBytes(3_000_000)
    const spool = await spools.create('a')
    await appendAll(spool, bytes, 17_000)
    expect(await spool.seal()).toBe(digestOf(bytes))
    expect(spool.written).toBe(bytes.length)
    await spool.close()
    expect(await readFile(spool.path)).toEqual(bytes)
  })

  test('keeps its own copy of a chunk, which the caller may fill anew at once', async () => {
    const { spools } = await spoolDirectory()
    const spool = await spools.create('a')
    const chunk = Buffer.alloc(600_000)
    for (const value of [1, 2, 3]) await spool.append(chunk.fill(value))
    expect(await spool.seal()).toBe(digestOf(Buffer.concat([1, 2, 3].map((value) => Buffer.alloc(600_000, value)))))
    await spool.discard()
  })

  test('that is flushed can be read to its last byte, and takes more', async () => {
    const { spools } = await spoolDirectory()
    const spool = await spools.create('a')
    const bytes = randomBytes(700_000)
    await spool.append(bytes.subarray(0, 400_000))
    await spool.flush()
    expect(spool.written).toBe(400_000)
    await spool.append(bytes.subarray(400_000))
    await spool.flush()
    expect(spool.written).toBe(700_000)
    expect(await spool.seal()).toBe(digestOf(bytes))
    await spool.discard()
  })

  test('hashes with the algorithm that was asked for', async () => {
    const { spools } = await spoolDirectory()
    const spool = await spools.create('a', 'sha512')
    await spool.append(Buffer.from('abc'))
    expect(await spool.seal()).toBe(digestOf(Buffer.from('abc'), 'sha512'))
    await spool.discard()
  })

  test('without a byte has the digest of nothing, and leaves no file when it is closed', async () => {
    const { directory, spools } = await spoolDirectory()
    const spool = await spools.create('a')
    expect(await spool.seal()).toBe(digestOf(Buffer.alloc(0)))
    await spool.close()
    expect(await readdir(directory)).toEqual([])
  })

  test('is a file of mode 0600 whose name shows nothing of the key', async () => {
    const { directory, spools } = await spoolDirectory()
    const spool = await spools.create('../../ghcr.io')
    expect(spool.path.startsWith(join(directory, createHash('sha256').update('../../ghcr.io').digest('hex')))).toBe(
      true,
    )
    expect((await stat(spool.path)).mode & 0o777).toBe(0o600)
    await spool.discard()
  })

  test('is read by many readers to the end while it grows, late ones from byte 0', async () => {
    const { spools } = await spoolDirectory()
    const bytes = randomBytes(4_000_000)
    const spool = await spools.create('a')
    const early = Array.from({ length: 10 }, () => tail(spool, bytes.length))
    await appendAll(spool, bytes.subarray(0, 2_500_000), 64_000)
    const late = Array.from({ length: 10 }, () => tail(spool, bytes.length))
    await appendAll(spool, bytes.subarray(2_500_000), 64_000)
    await spool.seal()
    const contents = await Promise.all([...early, ...late])
    expect(contents.every((content) => content.equals(bytes))).toBe(true)
    await spool.close()
  })

  test('shows a small chunk at once, without waiting for more', async () => {
    const { spools } = await spoolDirectory()
    const spool = await spools.create('a')
    await spool.append(Buffer.from('x'))
    await spool.grown(0)
    const buffer = Buffer.alloc(10)
    expect(await spool.read(0, buffer)).toBe(1)
    expect(await spool.read(1, buffer)).toBe(0)
    await spool.discard()
  })

  test('takes chunks of one byte as fast as they come', async () => {
    const { spools } = await spoolDirectory()
    const bytes = randomBytes(5000)
    const spool = await spools.create('a')
    await Promise.all(Array.from(bytes, (byte) => spool.append(Uint8Array.of(byte))))
    expect(await spool.seal()).toBe(digestOf(bytes))
    await spool.discard()
  })

  test('makes the one that appends wait while more than a group of bytes waits for the disk', async () => {
    const { spools } = await spoolDirectory()
    const spool = await spools.create('a')
    const chunk = randomBytes(1024 * 1024)
    const order: string[] = []
    const appends = [1, 2, 3].map(async (count) => {
      await spool.append(chunk)
      order.push(`append ${count} at ${spool.written > 0 ? 'some' : 'no'} bytes`)
    })
    await Promise.all(appends)
    expect(order[0]).toBe('append 1 at no bytes')
    expect(order[2]).toBe('append 3 at some bytes')
    await spool.discard()
  })

  test('can be read on by its readers after the file has moved', async () => {
    const { spools } = await spoolDirectory()
    const spool = await spools.create('a')
    await spool.append(Buffer.from('content'))
    await spool.seal()
    await rename(spool.path, `${spool.path}.moved`)
    expect((await tail(spool, 7)).toString()).toBe('content')
    await spool.close()
  })

  test('that is discarded leaves no file, frees those that wait, and refuses all calls', async () => {
    const { directory, spools } = await spoolDirectory()
    const spool = await spools.create('a')
    await spool.append(Buffer.from('x'))
    const waiting = spool.grown(100)
    await Promise.all([spool.discard(), spool.discard(), spool.close()])
    await waiting
    expect(await readdir(directory)).toEqual([])
    await expect(spool.append(Buffer.from('y'))).rejects.toThrow('no more bytes')
    await expect(spool.read(0, Buffer.alloc(1))).rejects.toThrow('closed')
    await expect(spool.seal()).rejects.toThrow('discarded')
  })
})

describe('a failed write', () => {
  test('is thrown with its code by every later call, and frees the readers that wait', async () => {
    const { spools } = await spoolDirectory()
    const spool = await spools.create('a')
    await spool.append(Buffer.from('good'))
    await spool.grown(3)
    const waiting = spool.grown(100)
    vi.stubEnv('ENTREPOT_TEST_FAILPOINT', 'spool.writing=error:ENOSPC')
    await spool.append(Buffer.from('lost')).catch(() => {})
    await waiting
    await expect(spool.append(Buffer.from('more'))).rejects.toMatchObject({ code: 'ENOSPC' })
    await expect(spool.seal()).rejects.toMatchObject({ code: 'ENOSPC' })
    await spool.discard()
  })

  test('leaves what is needed to go on elsewhere: the bytes in the file, and their hash', async () => {
    const { spools } = await spoolDirectory()
    const bytes = randomBytes(6_000_000)
    const spool = await spools.create('a')
    vi.stubEnv('ENTREPOT_TEST_FAILPOINT', 'spool.writing:3=error:ENOSPC')
    let taken = 0
    await expect(
      (async () => {
        for (; taken < bytes.length; taken += 100_000) await spool.append(bytes.subarray(taken, taken + 100_000))
        await spool.seal()
      })(),
    ).rejects.toMatchObject({ code: 'ENOSPC' })
    const { hash, position } = await spool.hashAt()
    expect(position).toBe(spool.written)
    expect(position).toBeGreaterThan(0)
    hash.update(bytes.subarray(position))
    expect(`sha256:${hash.digest('hex')}`).toBe(digestOf(bytes))
    expect((await tail(spool, position)).equals(bytes.subarray(0, position))).toBe(true)
    await spool.discard()
  })
})
