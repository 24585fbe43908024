import { chmod, lstat, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startDaemon } from '../support/daemon.ts'
import { entrepot, pull, setUp } from './cli.ts'

async function listOf(content: string) {
  const bench = await setUp()
  const file = join(bench.home, 'versions.yaml')
  await writeFile(file, content)
  return {
    ...bench,
    file,
    lock: (...args: string[]) => entrepot(['lock', 'versions.yaml', ...args, ...bench.flags], bench.home),
    locked: () => readFile(join(bench.home, 'versions.lock.yaml'), 'utf8'),
  }
}

const two = 'up/node: 22.x-alpine\nchart: { repository: up/charts/app, range: ^1.2, profile: helm }\n'

describe('entrepot lock', () => {
  it('writes one line an entry: tag, range, when, and what to pull', async () => {
    const { lock, locked, put } = await listOf(two)
    const node = put('node', '22.9.0-alpine')
    const chart = put('charts/app', '1.4.0')
    const { code, stdout } = await lock()
    expect(code).toBe(0)
    expect(stdout).toBe('chart: 1.4.0\nup/node: 22.9.0-alpine\n')
    const [heading, ...lines] = (await locked()).trimEnd().split('\n')
    expect(heading).toMatch(/^# .*entrepot lock versions\.yaml/)
    expect(lines).toEqual([
      expect.stringMatching(
        new RegExp(
          `^chart: { tag: 1.4.0, range: \\^1.2, profile: helm, resolved: \\S+Z, image: up/charts/app@${chart} }$`,
        ),
      ),
      expect.stringMatching(
        new RegExp(`^up/node: { tag: 22.9.0-alpine, range: 22.x-alpine, resolved: \\S+Z, image: up/node@${node} }$`),
      ),
    ])
  })

  it('changes only the lines of what moved, and prints the change', async () => {
    const { lock, locked, put } = await listOf(two)
    put('node', '22.9.0-alpine')
    put('charts/app', '1.4.0')
    await lock()
    const before = (await locked()).split('\n')
    put('charts/app', '1.5.0')
    const { stdout } = await lock()
    expect(stdout).toBe('chart: 1.4.0 -> 1.5.0\n')
    const after = (await locked()).split('\n')
    expect(after.filter((line) => !before.includes(line))).toEqual([expect.stringMatching(/^chart: { tag: 1\.5\.0,/)])
    expect(after.length).toBe(before.length)
  })

  it('says when a tag was built anew', async () => {
    const { lock, put } = await listOf('up/node: 22.x\n')
    put('node', '22.9.0')
    await lock()
    put('node', '22.9.0', 'again')
    expect((await lock()).stdout).toBe('up/node: 22.9.0 was built anew\n')
  })

  it('fails with --check where the lock is behind, and leaves it as it is', async () => {
    const { lock, locked, put } = await listOf('up/node: 22.x\n')
    put('node', '22.9.0')
    await lock()
    expect(await lock('--check')).toEqual({ code: 0, stdout: '', stderr: '' })
    const before = await locked()
    put('node', '22.10.0')
    const { code, stdout, stderr } = await lock('--check')
    expect({ code, stdout }).toEqual({ code: 3, stdout: 'up/node: 22.9.0 -> 22.10.0\n' })
    expect(stderr).toContain('versions.lock.yaml is behind')
    expect(await locked()).toBe(before)
  })

  it.each([
    ['there is no lock', 'up/node: 22.x\n', false],
    ['an entry has another range', 'up/node: 22.9.x\n', true],
    ['an entry is new', 'up/node: 22.x\nother: { repository: up/node, range: ^22 }\n', true],
    ['an entry has left', 'other: { repository: up/node, range: 22.x }\n', true],
  ])('fails with --check where %s', async (_name, content, isLocked) => {
    const { lock, put, file } = await listOf('up/node: 22.x\n')
    put('node', '22.9.0')
    if (isLocked) await lock()
    await writeFile(file, content)
    expect((await lock('--check')).code).toBe(3)
  })

  it('moves with --update what it names, and nothing else', async () => {
    const { lock, put } = await listOf(two)
    put('node', '22.9.0-alpine')
    put('charts/app', '1.4.0')
    await lock()
    put('node', '22.10.0-alpine')
    put('charts/app', '1.5.0')
    expect((await lock('--update', 'chart')).stdout).toBe('chart: 1.4.0 -> 1.5.0\n')
    expect((await lock('--check')).stdout).toBe('up/node: 22.9.0-alpine -> 22.10.0-alpine\n')
    const { code, stderr } = await lock('--update', 'nodes')
    expect(code).toBe(1)
    expect(stderr).toContain('up/node, chart')
  })

  it('writes nothing where one entry cannot be resolved, and names it', async () => {
    const { lock, locked, put } = await listOf(two)
    put('node', '22.9.0-alpine')
    put('charts/app', '0.1.0')
    const { code, stderr } = await lock()
    expect(code).toBe(4)
    expect(stderr).toMatch(/^entrepot: chart: .*0\.1\.0/)
    await expect(locked()).rejects.toThrow('ENOENT')
  })

  it.each([
    ['up/node: >=22 <23\n', /versions\.yaml:1: .*quotes/],
    ['up/node: !=22.9.0 22.x\n', /versions\.yaml:1: .*quotes/],
    ['up/node: >2\n  22.x\n', /versions\.yaml:1: .*quotes/],
    ['up/node: *\n', /versions\.yaml:1: .*quotes/],
    ['a: &a { repository: up/node, range: 22.x }\nb: *a\n', /versions\.yaml:1: .*quotes/],
    ['up/node: { range: 22.x, <22.5 }\n', /versions\.yaml:1: up\/node: .*quotes/],
    ['up/node:\n', /versions\.yaml:1: up\/node: range: a range is missing/],
    ['__proto__: 22.x\n', /versions\.yaml:1: "__proto__" is no name/],
    ['? { a: b }\n: 22.x\n', /versions\.yaml:1: /],
    ['up/node: 22.x\n---\nup/node: 22.x\n', /versions\.yaml:\d: .*several documents/],
    ['# nothing\n', /versions\.yaml is empty/],
    ['up/node:22 x\n', /versions\.yaml:1: .*NAME: RANGE/],
    ['a: { repository: up/node:22, range: 22.x }\n', /a: up\/node:22 names a tag/],
    ['up/node: 22.x\nup/node: 23.x\n', /versions\.yaml:2: /],
    [
      'a: 1.x\nup/node: { rang: 22.x }\n',
      /versions\.yaml:2: up\/node: .*"rang" is unknown: an entry is a range, or \{/,
    ],
    ['- up/node\n', /versions\.yaml:1: /],
    ['up/node: 22.x\nbad name: 1.x\n', /bad name/],
    [
      'up/node: { range: 22.x, profile: helmet }\n',
      /versions\.yaml:1: up\/node: profile: "helmet" is no profile: there are helm/,
    ],
  ])('refuses the list %j with its line', async (content, sentence) => {
    const { lock } = await listOf(content)
    const { code, stderr } = await lock()
    expect(code).toBe(1)
    expect(stderr).toMatch(sentence)
  })

  it('takes what YAML would make a number as it stands', async () => {
    const { lock, put } = await listOf('up/node: 1.20\n')
    put('node', '1.20.3')
    put('node', '1.2.9')
    expect((await lock()).stdout).toBe('up/node: 1.20.3\n')
  })

  it('does not follow a link that waits where it writes, and gives the lock the mode of the list', async () => {
    const { lock, put, home, file } = await listOf('up/node: 22.x\n')
    put('node', '22.9.0')
    const victim = join(home, 'victim')
    await writeFile(victim, 'mine')
    await symlink(victim, join(home, 'versions.lock.yaml'))
    await symlink(victim, join(home, 'versions.lock.yaml.part'))
    await chmod(file, 0o644)
    await rm(join(home, 'versions.lock.yaml'))
    expect((await lock()).code).toBe(0)
    expect(await readFile(victim, 'utf8')).toBe('mine')
    const lockFile = await lstat(join(home, 'versions.lock.yaml'))
    expect([lockFile.isFile(), lockFile.mode & 0o777]).toEqual([true, 0o644])
  })

  it('moves no entry back in an outage, and finds the lock not behind for it', async () => {
    const { lock, locked, put, upstream, home } = await listOf('up/node: 22.x\n')
    put('node', '22.8.0')
    const config = {
      upstreams: { [`registry.test:${upstream.port}`]: { url: upstream.url, alias: 'up' } },
      listsFreshFor: '0s',
    }
    const daemon = await startDaemon({ data: join(home, 'data'), config })
    onTestFinished(() => daemon.stop())
    await pull(daemon.url, 'up/node', '22.8.0')
    put('node', '22.9.0')
    await lock()
    const before = await locked()
    await upstream.close()
    const checked = await lock('--check')
    expect({ code: checked.code, stdout: checked.stdout }).toEqual({ code: 0, stdout: '' })
    expect(checked.stderr).toContain('22.9.0')
    expect((await lock()).code).toBe(0)
    expect(await locked()).toBe(before)
  })

  it('refuses a lock file that was edited into something else', async () => {
    const { lock, home } = await listOf('up/node: 22.x\n')
    await writeFile(join(home, 'versions.lock.yaml'), 'up/node: latest\n')
    const { code, stderr } = await lock()
    expect(code).toBe(1)
    expect(stderr).toMatch(/versions\.lock\.yaml:1: /)
  })

  it('says so where there is no list', async () => {
    const { flags, home } = await listOf('{}')
    const { code, stderr } = await entrepot(['lock', 'missing.yaml', ...flags], home)
    expect(code).toBe(1)
    expect(stderr).toContain('missing.yaml cannot be read')
  })
})

describe('a build that pulls what is locked', () => {
  it('works with the upstream gone', async () => {
    const { lock, locked, put, upstream, home } = await listOf('up/node: 22.x\n')
    put('node', '22.9.0')
    const config = { upstreams: { [`registry.test:${upstream.port}`]: { url: upstream.url, alias: 'up' } } }
    const daemon = await startDaemon({ data: join(home, 'data'), config })
    onTestFinished(() => daemon.stop())
    await lock()
    const [, digest = ''] = /image: up\/node@(\S+)/.exec(await locked()) ?? []
    const first = await pull(daemon.url, 'up/node', digest)
    await upstream.close()
    expect(await pull(daemon.url, 'up/node', digest)).toEqual(first)
  })
})
