import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startDaemon } from '../support/daemon.ts'
import { entrepot, pull, setUp, throughHead } from './cli.ts'

async function nodeTags(config?: Record<string, unknown>) {
  const bench = await setUp(config)
  const digests = new Map(
    ['22.3.0', '22.9.0', '22.9.0-alpine', '22.9.0-slim', '23.1.0', 'latest'].map((tag) => [
      tag,
      bench.put('node', tag),
    ]),
  )
  return {
    ...bench,
    digests,
    resolve: (...args: string[]) => entrepot(['resolve', ...args, ...bench.flags], bench.home),
  }
}

describe('entrepot resolve', () => {
  it('prints the tag and its digest', async () => {
    const { resolve, digests } = await nodeTags()
    const { code, stdout, stderr } = await resolve('up/node', '22.x-alpine')
    expect(stderr).toBe('')
    expect(stdout).toBe(`22.9.0-alpine ${digests.get('22.9.0-alpine')}\n`)
    expect(code).toBe(0)
  })

  it.each([
    ['^22.3', '22.9.0'],
    ['caret-22.3', '22.9.0'],
    ['>=22 <22.5', '22.3.0'],
    ['1.0.0 || 23.x', '23.1.0'],
  ])('reads %s as %s', async (range, tag) => {
    const { resolve, digests } = await nodeTags()
    expect(await resolve('up/node', range)).toEqual({ code: 0, stdout: `${tag} ${digests.get(tag)}\n`, stderr: '' })
  })

  it('takes the spellings of a repository that people copy from elsewhere', async () => {
    const { resolve, upstream, digests } = await nodeTags()
    const stdout = `22.9.0 ${digests.get('22.9.0')}\n`
    for (const name of ['oci://up/node', 'localhost:5000/up/node', `registry.test:${upstream.port}/node`]) {
      expect(await resolve(name, '22.x')).toEqual({ code: 0, stdout, stderr: '' })
    }
  })

  it('gives scripts one JSON object', async () => {
    const { resolve, digests } = await nodeTags()
    const { stdout } = await resolve('up/node', '22.x', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      tag: '22.9.0',
      digest: digests.get('22.9.0'),
      range: '22.x',
      profile: 'image',
      candidates: ['22.9.0', '22.3.0'],
    })
  })

  it('says with --why which tags match and why each other one does not', async () => {
    const { resolve } = await nodeTags()
    const { stdout } = await resolve('up/node', '22.x', '--why')
    expect(stdout).toMatch(/best first:\n {2}22\.9\.0\n {2}22\.3\.0\n/)
    expect(stdout).toMatch(/\n {2}22\.9\.0-slim .*slim/)
    expect(stdout).toMatch(/\n {2}23\.1\.0 \S/)
    expect(stdout).toMatch(/\n {2}latest \S/)
  })

  it('decides by the rules of another profile where it is told to', async () => {
    const { resolve, put } = await nodeTags()
    put('node', '22.9.0-rc.1')
    put('node', '24.0.0-beta')
    expect((await resolve('up/node', '>=22.0.0-0', '--profile', 'helm')).stdout).toMatch(/^24\.0\.0-beta /)
  })

  it('ends with 4 and the nearest tags where nothing matches', async () => {
    const { resolve } = await nodeTags()
    const { code, stdout, stderr } = await resolve('up/node', '^30')
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
    expect(stderr).toContain('23.1.0')
  })

  it('says with --why what each tag has against a range that nothing matches', async () => {
    const { resolve } = await nodeTags()
    const { code, stderr } = await resolve('up/node', '^30', '--why')
    expect(code).toBe(4)
    expect(stderr).toMatch(/\n {2}22\.9\.0-slim \S/)
    expect(stderr).toMatch(/\n {2}latest \S/)
  })

  it('ends well where the reader of its output has seen enough', async () => {
    const { home, flags } = await nodeTags()
    const { code, stderr } = await throughHead(['resolve', 'up/node', '22.x', '--why', ...flags], home)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  it('takes no range that is longer than a range may be', async () => {
    const { resolve } = await nodeTags()
    for (const length of [513, 5_000, 30_000]) {
      const { code, stderr } = await resolve('up/node', `>=1${' '.repeat(length)}`)
      expect(code).toBe(1)
      expect(stderr).toContain('512 bytes')
    }
  })

  it('ends with 1 and the position where the range is none', async () => {
    const { resolve } = await nodeTags()
    const { code, stdout, stderr } = await resolve('up/node', '>=22 <<23')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^entrepot: .*\d/)
  })

  it('ends with 69 where the upstream does not tell', async () => {
    const { resolve, upstream } = await nodeTags()
    upstream.misbehave({ path: /tags/ }, (_request, response) => void response.writeHead(500).end())
    const { code, stderr } = await resolve('up/node', '22.x')
    expect(code).toBe(69)
    expect(stderr).toContain(`registry.test:${upstream.port}`)
  })

  it.each([
    ['up/node:22', '22.x', 'up/node'],
    ['up/node@sha256:abc', '22.x', 'up/node'],
    ['up/../node', '22.x', 'no repository'],
    ['up/no de', '22.x', 'no repository'],
    ['other.example/node', '22.x', 'other.example'],
  ])('refuses %s with a sentence', async (name, range, words) => {
    const { resolve } = await nodeTags()
    const { code, stderr } = await resolve(name, range)
    expect(code).toBe(1)
    expect(stderr).toContain(words)
  })

  it('says in a line what is missing, and in another one where there is more', async () => {
    const { resolve } = await nodeTags()
    const { code, stderr } = await resolve('up/node')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^entrepot: resolve takes [^\n]+\nentrepot resolve --help tells more\.\n$/)
  })
})

describe('entrepot resolve beside a daemon', () => {
  it('asks the daemon that has the data directory, and both know the same afterwards', async () => {
    const { resolve, upstream, home, digests } = await nodeTags({ listsFreshFor: '1h', freshFor: '1h' })
    const data = join(home, 'data')
    const host = `registry.test:${upstream.port}`
    const daemon = await startDaemon({
      data,
      config: { upstreams: { [host]: { url: upstream.url, alias: 'up' } }, listsFreshFor: '1h', freshFor: '1h' },
    })
    onTestFinished(() => daemon.stop())
    const stdout = `22.9.0 ${digests.get('22.9.0')}\n`
    expect(await resolve('up/node', '22.x')).toEqual({ code: 0, stdout, stderr: '' })
    const calls = upstream.calls.length
    expect(await resolve('up/node', '22.x')).toEqual({ code: 0, stdout, stderr: '' })
    expect(upstream.calls.length).toBe(calls)
  })

  it('refuses --offline there, which it could not keep', async () => {
    const { resolve, home } = await nodeTags()
    const daemon = await startDaemon({ data: join(home, 'data') })
    onTestFinished(() => daemon.stop())
    const { code, stderr } = await resolve('up/node', '22.x', '--offline')
    expect(code).toBe(1)
    expect(stderr).toContain('start that one with it')
  })

  it('is not fooled by a socket in a directory that others can write to', async () => {
    const { resolve, home } = await nodeTags()
    const data = join(home, 'data')
    await chmod(data, 0o777)
    const fake = createServer((socket) => socket.destroy()).listen(join(data, 'entrepot.sock'))
    await once(fake, 'listening')
    onTestFinished(() => void fake.close())
    const { code, stderr } = await resolve('up/node', '22.x')
    expect(code).toBe(1)
    expect(stderr).toContain('can be changed by other users')
  })

  it('waits for another command that has the directory', async () => {
    const { resolve, digests } = await nodeTags()
    const stdout = `22.9.0 ${digests.get('22.9.0')}\n`
    const ended = await Promise.all([1, 2, 3].map(() => resolve('up/node', '22.x')))
    expect(ended).toEqual(Array.from({ length: 3 }, () => ({ code: 0, stdout, stderr: '' })))
  })

  it('works without one, again and again, and after a daemon was killed', async () => {
    const { resolve, home, digests, upstream } = await nodeTags()
    const config = { upstreams: { [`registry.test:${upstream.port}`]: { url: upstream.url, alias: 'up' } } }
    const daemon = await startDaemon({ data: join(home, 'data'), config })
    await daemon.kill()
    const stdout = `22.9.0 ${digests.get('22.9.0')}\n`
    expect(await resolve('up/node', '22.x')).toEqual({ code: 0, stdout, stderr: '' })
    expect(await resolve('up/node', '22.x')).toEqual({ code: 0, stdout, stderr: '' })
  })

  it('prefers in an outage what is kept whole, and says so', async () => {
    const { resolve, home, digests, upstream } = await nodeTags()
    const config = {
      upstreams: { [`registry.test:${upstream.port}`]: { url: upstream.url, alias: 'up' } },
      listsFreshFor: '0s',
    }
    const daemon = await startDaemon({ data: join(home, 'data'), config })
    onTestFinished(() => daemon.stop())
    await pull(daemon.url, 'up/node', '22.3.0')
    expect((await resolve('up/node', '22.x')).stdout).toBe(`22.9.0 ${digests.get('22.9.0')}\n`)
    await upstream.close()
    const { code, stdout, stderr } = await resolve('up/node', '22.x')
    expect({ code, stdout }).toEqual({ code: 0, stdout: `22.3.0 ${digests.get('22.3.0')}\n` })
    expect(stderr).toMatch(/^entrepot: warning: .*22\.9\.0 matches and is not kept whole, 22\.3\.0 is/)
  })
})
