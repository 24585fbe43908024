import { appendFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { type Journal, openJournal as open } from '../../src/store/journal.ts'
import { temporaryDirectory } from './temporary.ts'

afterEach(() => {
  delete process.env['ENTREPOT_TEST_FAILPOINT']
})

async function openJournal(path: string) {
  const opened = await open(path)
  onTestFinished(() => opened.journal.close())
  return opened
}

async function newPath(): Promise<string> {
  return join(await temporaryDirectory(), 'journal')
}

async function entriesOf(journal: Journal, from = 0): Promise<string[]> {
  const entries = await Array.fromAsync(journal.read(from))
  return entries.map(({ entry }) => entry)
}

describe('a journal', () => {
  test('gives back what was appended, in order, after it was opened again', async () => {
    const path = await newPath()
    const first = await openJournal(path)
    expect(first).toMatchObject({ isNew: true, damaged: 0 })
    await first.journal.append(['one', 'two'])
    await first.journal.append(['thrée'])
    const { id, end } = first.journal
    await first.journal.close()
    const { journal, isNew, damaged } = await openJournal(path)
    expect({ isNew, damaged, id: journal.id, end: journal.end }).toEqual({ isNew: false, damaged: 0, id, end })
    expect(await entriesOf(journal)).toEqual(['one', 'two', 'thrée'])
    await journal.append(['four'])
    expect(await entriesOf(journal)).toEqual(['one', 'two', 'thrée', 'four'])
  })

  test('is read from a position on', async () => {
    const { journal } = await openJournal(await newPath())
    await journal.append(['one', 'two', 'three'])
    const [, second] = await Array.fromAsync(journal.read(0))
    expect(await entriesOf(journal, second?.end)).toEqual(['three'])
    expect(await entriesOf(journal, journal.end)).toEqual([])
  })

  test('is readable by its owner alone', async () => {
    const path = await newPath()
    await openJournal(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('of long entries is read whole', async () => {
    const path = await newPath()
    const entries = Array.from({ length: 50 }, (_, index) => `${index} `.repeat(10_000))
    const { journal } = await openJournal(path)
    await journal.append(entries)
    expect(await entriesOf((await openJournal(path)).journal)).toEqual(entries)
  })

  test('takes back what was appended after a position', async () => {
    const path = await newPath()
    const { journal } = await openJournal(path)
    await journal.append(['one'])
    const before = journal.end
    await journal.append(['a longer one', 'two'])
    await journal.takeBack(before)
    expect((await stat(path)).size).toBe(before)
    await journal.append(['x'])
    expect(await entriesOf((await openJournal(path)).journal)).toEqual(['one', 'x'])
  })

  test('is succeeded by another with another id', async () => {
    const path = await newPath()
    const { journal } = await openJournal(path)
    await journal.append(['one', 'two'])
    const { id } = journal
    const next = await journal.begin()
    await next.add(['three'])
    await journal.append(['not in the next'])
    await next.sync()
    await next.add(['four'])
    expect(journal.id).toBe(id)
    await next.succeed()
    await next.discard()
    expect(journal.id).not.toBe(id)
    await journal.append(['five'])
    const again = await openJournal(path)
    expect(again.journal).toMatchObject({ id: journal.id, end: journal.end })
    expect(await entriesOf(again.journal)).toEqual(['three', 'four', 'five'])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('stays what it was where its successor is discarded, or the process ends before it is whole', async () => {
    const path = await newPath()
    const { journal } = await openJournal(path)
    await journal.append(['one'])
    const discarded = await journal.begin()
    await discarded.add(['two'])
    await discarded.discard()
    expect(await readdir(dirname(path))).toEqual(['journal'])
    const left = await journal.begin()
    await left.add(['two'])
    await left.sync()
    const again = await openJournal(path)
    expect(await readdir(dirname(path))).toEqual(['journal'])
    expect(again.journal.id).toBe(journal.id)
    expect(await entriesOf(again.journal)).toEqual(['one'])
    await left.discard()
  })

  test('whose successor the directory may forget takes no entry before that is mended', async () => {
    const path = await newPath()
    const { journal } = await openJournal(path)
    const next = await journal.begin()
    await next.add(['one'])
    process.env['ENTREPOT_TEST_FAILPOINT'] = 'journal.naming=error:EIO'
    await expect(next.succeed()).rejects.toThrow('EIO')
    await expect(journal.append(['lost'])).rejects.toThrow('EIO')
    delete process.env['ENTREPOT_TEST_FAILPOINT']
    await journal.append(['two'])
    expect(await entriesOf((await openJournal(path)).journal)).toEqual(['one', 'two'])
  })

  test.each(['journal.writing', 'journal.written', 'journal.synced'])(
    'of which %s fails has none of it',
    async (step) => {
      const path = await newPath()
      const { journal } = await openJournal(path)
      await journal.append(['one'])
      process.env['ENTREPOT_TEST_FAILPOINT'] = `${step}=error:EIO`
      await expect(journal.append(['lost'])).rejects.toThrow('EIO')
      delete process.env['ENTREPOT_TEST_FAILPOINT']
      await journal.append(['two'])
      expect(await entriesOf(journal)).toEqual(['one', 'two'])
      expect(await entriesOf((await openJournal(path)).journal)).toEqual(['one', 'two'])
    },
  )
})

describe('a file that a crash or a disk left', () => {
  async function written(): Promise<{ path: string; ends: number[] }> {
    const path = await newPath()
    const { journal } = await openJournal(path)
    await journal.append(['one', 'two', 'three'])
    const entries = await Array.fromAsync(journal.read(0))
    await journal.close()
    return { path, ends: entries.map(({ end }) => end) }
  }

  test('torn at any byte has all entries before it, and takes more', async () => {
    const { path, ends } = await written()
    const whole = await readFile(path)
    for (let size = whole.indexOf('\n') + 1; size < whole.length; size += 1) {
      await writeFile(path, whole.subarray(0, size))
      const { journal, damaged } = await openJournal(path)
      const complete = ['one', 'two', 'three'].filter((_, index) => (ends[index] ?? 0) <= size)
      expect(await entriesOf(journal)).toEqual(complete)
      await journal.append(['next'])
      await journal.close()
      const again = await openJournal(path)
      expect((await entriesOf(again.journal)).at(-1)).toBe('next')
      expect(again.damaged + damaged).toBe(0)
    }
  })

  test('with a damaged line says so, and has the others', async () => {
    const { path } = await written()
    const bytes = await readFile(path)
    bytes[bytes.indexOf('two')] = 0x7a
    await writeFile(path, bytes)
    const { journal, damaged } = await openJournal(path)
    expect(damaged).toBe(1)
    expect(await entriesOf(journal)).toEqual(['one', 'three'])
  })

  test('whose first line is damaged has its entries, under an id that no position knows', async () => {
    const { path } = await written()
    const bytes = await readFile(path)
    const { id } = (await openJournal(path)).journal
    bytes[12] = 0x7a
    await writeFile(path, bytes)
    const { journal, isNew } = await openJournal(path)
    expect(isNew).toBe(false)
    expect(journal.id).not.toBe(id)
    expect(await entriesOf(journal)).toEqual(['one', 'two', 'three'])
  })

  test('with a megabyte of garbage at its end has the entries before it', async () => {
    const { path } = await written()
    await appendFile(path, Buffer.alloc(3_000_000))
    const { journal } = await openJournal(path)
    expect(await entriesOf(journal)).toEqual(['one', 'two', 'three'])
    await journal.append(['four'])
    expect(await entriesOf((await openJournal(path)).journal)).toEqual(['one', 'two', 'three', 'four'])
  })

  test('that is empty, or gone, is begun anew', async () => {
    const { path } = await written()
    await truncate(path, 0)
    expect((await openJournal(path)).isNew).toBe(true)
    await rm(path)
    expect((await openJournal(path)).isNew).toBe(true)
  })
})
