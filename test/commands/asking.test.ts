/** Who answers a command: a daemon, or the command itself where none runs; and that it says so where that may be a mistake. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openAsking } from '../../src/commands/asking.ts'
import { loadConfig } from '../../src/config/load.ts'
import { startDaemon } from '../support/daemon.ts'
import { entrepot, setUp } from './cli.ts'
import { openHouse } from './import-charts-house.ts'

function alone(data: string): string {
  return `No daemon runs on ${data}, so this asked by itself: name the daemon's directory with --data, or its configuration with --config.\n`
}

describe('a command that finds no daemon', () => {
  it.each([
    ['nothing matches', 'up/node', '^30', [], 4],
    ['nothing matches, with reasons', 'up/node', '^30', ['--why'], 4],
    ['there is no such repository', 'up/nodes', '*', [], 1],
  ])('says so at the end of a refusal: %s', async (_, name, range, more, exitCode) => {
    const { put, flags, home } = await setUp()
    put('node', '22.3.0')
    const { code, stderr } = await entrepot(['resolve', name, range, ...more, ...flags], home)
    expect(code).toBe(exitCode)
    expect(stderr.endsWith(alone(join(home, 'data')))).toBe(true)
  })

  it('says so where the upstream cannot be reached', async () => {
    const { upstream, flags, home } = await setUp()
    await upstream.close()
    await writeFile(join(home, 'versions.yaml'), 'up/node: 22.x\n')
    const { code, stderr } = await entrepot(['lock', 'versions.yaml', ...flags], home)
    expect(code).toBe(69)
    expect(stderr.endsWith(alone(join(home, 'data')))).toBe(true)
  })

  it('does not say so of a range that nobody could read, nor where a daemon has answered', async () => {
    const { put, flags, home, upstream } = await setUp()
    put('node', '22.3.0')
    expect((await entrepot(['resolve', 'up/node', '>=22 <<23', ...flags], home)).stderr).not.toContain('daemon')
    const config = { upstreams: { [`registry.test:${upstream.port}`]: { url: upstream.url, alias: 'up' } } }
    const daemon = await startDaemon({ data: join(home, 'data'), config })
    onTestFinished(() => daemon.stop())
    const { code, stderr } = await entrepot(['resolve', 'up/node', '^30', ...flags], home)
    expect(code).toBe(4)
    expect(stderr).not.toContain('daemon')
  })

  it.each([
    ['resolve', ['resolve', 'up/node', '22.x']],
    ['lock', ['lock', 'versions.yaml']],
  ])('makes no directory of a mistyped --data, and says what to do: %s', async (_, args) => {
    const { flags, home, upstream } = await setUp()
    await writeFile(join(home, 'versions.yaml'), 'up/node: 22.x\n')
    const mistyped = join(home, 'dta')
    const { code, stdout, stderr } = await entrepot([...args, ...flags, '--data', mistyped], home)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      /^entrepot: There is no directory .*\/dta: name the one of a daemon with --data.*mkdir .*\n$/,
    )
    expect(existsSync(mistyped)).toBe(false)
    expect(upstream.calls).toEqual([])
  })

  it('asks by itself on a fresh machine, in the directory that is there by default', async () => {
    const { put, flags, home } = await setUp()
    const digest = put('node', '22.3.0')
    const config = flags.slice(0, 2)
    const ended = await entrepot(['resolve', 'up/node', '22.x', ...config], home)
    expect(ended).toEqual({ code: 0, stdout: `22.3.0 ${digest}\n`, stderr: '' })
    expect(existsSync(join(home, 'entrepot', 'holder'))).toBe(false)
    expect(existsSync(join(home, 'entrepot'))).toBe(true)
  })

  it('says before it imports charts that it writes by itself, and nothing of that beside a daemon', async () => {
    const house = await openHouse(['app-1.0.0'])
    const sentence = `entrepot: no daemon runs on ${join(house.home, 'data')}: this`
    expect((await house.run('--dry-run')).stderr).toContain(`${sentence} looks into it by itself\n`)
    expect((await house.run()).stderr).toContain(`${sentence} writes into it by itself\n`)
    await house.serve()
    expect((await house.run()).stderr).not.toContain('by itself')
  })
})

describe('a command that asks a daemon', () => {
  it('gets every answer to what it uploads, each over a connection of its own', async () => {
    const daemon = await startDaemon()
    onTestFinished(() => daemon.stop())
    const flags = { data: daemon.data }
    const asking = await openAsking(loadConfig({ flags, env: {}, home: undefined }), flags)
    const bytes = Buffer.from('{'.repeat(600))
    const body = {
      size: bytes.length,
      async *bytes() {
        yield bytes
      },
    }
    const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }
    const upload = () => asking.ask({ method: 'PUT', target: '/v2/charts/app/manifests/1.0.0', headers, body })
    const statuses = new Set<number>()
    for (let round = 0; round < 100; round += 1) {
      for (const { status } of await Promise.all([upload(), upload(), upload(), upload()])) statuses.add(status)
    }
    expect([...statuses]).toEqual([400])
  })
})
