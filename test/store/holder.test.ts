import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { StoreLockedError, UnusableDirectoryError } from '../../src/store/errors.ts'
import { holdDirectory } from '../../src/store/holder.ts'
import { temporaryDirectory } from './temporary.ts'

const source = JSON.stringify(new URL('../../src/store/holder.ts', import.meta.url).href)

/** A process that holds the directory until it is killed; settles when it does. */
async function holderProcess(data: string): Promise<ChildProcess> {
  const script = `
    const { holdDirectory } = await import(${source})
    await holdDirectory(${JSON.stringify(data)}, { listen: '127.0.0.1:5099' })
    console.log('held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) await kill(child)
  })
  await once(child.stdout ?? child, 'data')
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

const listen = '127.0.0.1:5000'

describe('a data directory', () => {
  test('is made with its parents, closed to others, with a holder file that says who has it', async () => {
    const data = join(await temporaryDirectory(), 'share', 'entrepot')
    const holding = await holdDirectory(data, { listen })
    expect(holding.directory).toBe(data)
    expect((await stat(data)).mode & 0o777).toBe(0o700)
    expect((await stat(join(data, 'holder'))).mode & 0o777).toBe(0o600)
    const holder: unknown = JSON.parse(await readFile(join(data, 'holder'), 'utf8'))
    expect(holder).toEqual({ pid: process.pid, startedAt: expect.stringMatching(/^\d{4}-.*Z$/), listen })
    await holding.announce('127.0.0.1:34567')
    expect(await readFile(join(data, 'holder'), 'utf8')).toContain('"127.0.0.1:34567"')
    await holding.release()
    await holding.release()
    expect(await readdir(data)).toEqual(['lock'])
  })

  test('that another process holds is refused at once, with a message that names it', async () => {
    const data = await temporaryDirectory()
    const child = await holderProcess(data)
    const error = await holdDirectory(data, { listen }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StoreLockedError)
    expect(error).toMatchObject({ holder: { pid: child.pid, listen: '127.0.0.1:5099' } })
    expect(String(error)).toMatch(
      new RegExp(
        `${data} is in use by process ${child.pid}, which runs since \\d{4}-\\S+Z and listens on 127.0.0.1:5099`,
      ),
    )
  })

  test('is free again at once when its holder was killed, and the stale holder file is replaced', async () => {
    const data = await temporaryDirectory()
    await kill(await holderProcess(data))
    expect(await readdir(data)).toContain('holder')
    const holding = await holdDirectory(data, { listen })
    expect(await readFile(join(data, 'holder'), 'utf8')).toContain(`"pid":${process.pid}`)
    await holding.release()
  })

  test('is free where the holder file names a process that lives but does not hold it', async () => {
    const data = await temporaryDirectory()
    await writeFile(join(data, 'holder'), JSON.stringify({ pid: 1, startedAt: 'then', listen: 'x' }))
    const holding = await holdDirectory(data, { listen })
    expect(holding.directory).toBe(data)
    await holding.release()
  })

  test.each([
    ['missing', undefined],
    ['no JSON', 'garbage'],
    ['of another shape', '{"pid":"1"}'],
    ['full of control characters', JSON.stringify({ pid: 1, startedAt: '\u001b[2J', listen: 'x' })],
    ['of a process that is gone', JSON.stringify({ pid: 2 ** 30, startedAt: 'then', listen: 'x' })],
  ])('that is held is refused without a name where the holder file is %s', async (_, content) => {
    const data = await temporaryDirectory()
    const holding = await holdDirectory(data, { listen })
    await rm(join(data, 'holder'))
    if (content !== undefined) await writeFile(join(data, 'holder'), content)
    await expect(holdDirectory(data, { listen })).rejects.toThrow('is in use by another process.')
    await holding.release()
  })

  test('is held once within a process too, and can be held again after its release', async () => {
    const data = await temporaryDirectory()
    const first = await holdDirectory(data, { listen })
    await expect(holdDirectory(data, { listen })).rejects.toBeInstanceOf(StoreLockedError)
    await first.release()
    await (await holdDirectory(data, { listen })).release()
  })

  test('is held although a power cut tore the files beside its lock', async () => {
    const data = await temporaryDirectory()
    await (await holdDirectory(data, { listen })).release()
    for (const name of await readdir(join(data, 'lock'))) await truncate(join(data, 'lock', name), 0)
    const holding = await holdDirectory(data, { listen })
    await expect(holdDirectory(data, { listen })).rejects.toBeInstanceOf(StoreLockedError)
    await holding.release()
  })

  test('that others can read is closed to them', async () => {
    const data = await temporaryDirectory()
    await chmod(data, 0o755)
    await (await holdDirectory(data, { listen })).release()
    expect((await stat(data)).mode & 0o777).toBe(0o700)
  })

  test('that others can write to is refused, with what to do', async () => {
    const data = await temporaryDirectory()
    await chmod(data, 0o770)
    await expect(holdDirectory(data, { listen })).rejects.toThrow(`chmod 0700 ${data}`)
    expect(await readdir(data)).toEqual([])
  })

  test('may be a symlink of our own, as that of systemd, and is then named without it', async () => {
    const parent = await temporaryDirectory()
    await mkdir(join(parent, 'real'), { mode: 0o700 })
    await symlink(join(parent, 'real'), join(parent, 'link'))
    const holding = await holdDirectory(join(parent, 'link'), { listen })
    expect(holding.directory).toBe(join(parent, 'real'))
    await expect(holdDirectory(join(parent, 'real'), { listen })).rejects.toBeInstanceOf(StoreLockedError)
    await holding.release()
  })

  test('with a planted symlink in place of its lock is refused, and nothing is written behind it', async () => {
    const parent = await temporaryDirectory()
    await mkdir(join(parent, 'elsewhere'))
    await mkdir(join(parent, 'data'), { mode: 0o700 })
    await symlink(join(parent, 'elsewhere'), join(parent, 'data', 'lock'))
    await expect(holdDirectory(join(parent, 'data'), { listen })).rejects.toThrow('is not a directory')
    expect(await readdir(join(parent, 'elsewhere'))).toEqual([])
  })

  test('with a planted symlink as holder file has it replaced, and nothing is written behind it', async () => {
    const parent = await temporaryDirectory()
    const data = join(parent, 'data')
    await mkdir(data, { mode: 0o700 })
    await writeFile(join(parent, 'victim'), 'untouched')
    await symlink(join(parent, 'victim'), join(data, 'holder'))
    await symlink(join(parent, 'victim'), join(data, 'holder.new'))
    const holding = await holdDirectory(data, { listen })
    expect(await readFile(join(parent, 'victim'), 'utf8')).toBe('untouched')
    await holding.release()
  })

  test.each([
    ['a symlink to nowhere', 'dangling', 'dangling leads to nowhere, which is not there: is the disk mounted?'],
    ['below a symlink to nowhere', 'dangling/data', 'dangling leads to nowhere, which is not there'],
    ['far below a symlink to nowhere', 'dangling/a/b/data', 'dangling leads to nowhere, which is not there'],
    ['a symlink to itself', 'circle', 'circle is a symlink that leads in a circle'],
    ['below a symlink to itself', 'circle/data', 'circle is a symlink that leads in a circle'],
    ['below a file', 'file/data', 'file is not a directory'],
    ['far below a file', 'file/a/data', 'file is not a directory'],
    ['of a name that is too long', `${'x'.repeat(300)}/data`, 'is longer than the file system takes'],
  ])('%s is refused with a sentence', async (_what, path, sentence) => {
    const parent = await temporaryDirectory()
    await symlink('nowhere', join(parent, 'dangling'))
    await symlink('circle', join(parent, 'circle'))
    await writeFile(join(parent, 'file'), '')
    const error = await holdDirectory(join(parent, path), { listen }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UnusableDirectoryError)
    expect(String(error)).toContain(sentence)
    expect((await readdir(parent)).toSorted()).toEqual(['circle', 'dangling', 'file'])
  })

  test.each(['/proc/entrepot', '/proc/entrepot/a/data', '/sys/entrepot'])(
    'where nothing can be made (%s) is refused, and not tried for ever',
    async (data) => {
      const error = await holdDirectory(data, { listen }).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(UnusableDirectoryError)
      expect(String(error)).toMatch(/\/entrepot cannot be made: .*; give another data directory\.$/)
    },
  )

  test('that is a file is refused', async () => {
    const parent = await temporaryDirectory()
    await writeFile(join(parent, 'data'), '')
    await expect(holdDirectory(join(parent, 'data'), { listen })).rejects.toThrow('is not a directory')
  })
})
