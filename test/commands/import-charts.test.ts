import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { chart } from '../charts/archives.ts'
import { startChartServer } from '../charts/server.ts'
import { held, openHouse } from './import-charts-house.ts'

const broken = (part: string) => expect.stringContaining(part)

describe('entrepot import-charts', () => {
  it('brings the charts of a repository in, and says so', async () => {
    const house = await openHouse(['app-1.0.0', 'app-1.1.0-rc.1', 'app-1.1.0+build.5', 'db-v2.0.0'])
    const { code, stdout, stderr } = await house.run()
    expect(stderr).toBe(
      `entrepot: charts to import: 4, of ${house.server.url}/index.yaml\n` +
        `entrepot: no daemon runs on ${join(house.home, 'data')}: this writes into it by itself\n`,
    )
    expect(stdout).toMatch(/^into charts\/: 4 imported \(\d\.\d kB\), 0 there already, 0 left out\n$/)
    expect(code).toBe(0)
    const daemon = await house.serve()
    for (const [name, tag, file] of [
      ['app', '1.0.0', 'app-1.0.0.tgz'],
      ['app', '1.1.0-rc.1', 'app-1.1.0-rc.1.tgz'],
      ['app', '1.1.0_build.5', 'app-1.1.0+build.5.tgz'],
      ['db', 'v2.0.0', 'db-v2.0.0.tgz'],
    ] as const) {
      const kept = await held(daemon, `charts/${name}`, tag)
      expect(kept?.archive).toEqual(house.server.files.get(`/${file}`))
      expect(kept?.annotations['org.opencontainers.image.created']).toBe('2024-05-01T10:20:30+02:00')
    }
  })

  it('does the same through the daemon that has the data directory', async () => {
    const alone = await openHouse(['app-1.0.0'])
    const beside = await openHouse(['app-1.0.0'])
    const daemon = await beside.serve()
    expect(await beside.outcome()).toMatchObject({ code: 0, imported: 1 })
    expect(await alone.outcome()).toMatchObject({ code: 0, imported: 1 })
    const there = await held(daemon, 'charts/app', '1.0.0')
    expect(there?.manifest).toBe((await held(await alone.serve(), 'charts/app', '1.0.0'))?.manifest)
    expect(await beside.outcome()).toMatchObject({ code: 0, imported: 0, there: 1 })
  })

  it('fetches no archive the second time', async () => {
    const house = await openHouse(['app-1.0.0', 'app-1.1.0'])
    await house.run()
    expect(await house.outcome()).toMatchObject({ code: 0, imported: 0, there: 2, bytes: 0 })
    expect(house.server.count(/\.tgz$/)).toBe(2)
  })

  it('leaves nothing behind in the folder for temporary files', async () => {
    const house = await openHouse(['app-1.0.0'])
    await house.run()
    expect((await readdir(house.home)).filter((name) => name.startsWith('entrepot-charts'))).toEqual([])
  })

  it.each(['', '/', '/index.yaml'])('takes an address that ends with "%s"', async (end) => {
    const house = await openHouse(['app-1.0.0'])
    house.server.files.set('/stable/index.yaml', house.server.files.get('/index.yaml') ?? Buffer.of())
    house.server.files.set('/stable/app-1.0.0.tgz', house.server.files.get('/app-1.0.0.tgz') ?? Buffer.of())
    expect(await house.outcome(`${house.server.url}/stable${end}`)).toMatchObject({ code: 0, imported: 1 })
    expect(house.server.count(/^\/app/)).toBe(0)
  })

  it('follows addresses of every kind, the query of the index along with those that have no host', async () => {
    const house = await openHouse([])
    const other = await startChartServer()
    const { files } = house.server
    files.set('/deep/a-1.0.0.tgz', chart('a', '1.0.0'))
    files.set('/b.tgz', chart('b', '1.0.0'))
    other.files.set('/c.tgz', chart('c', '1.0.0'))
    house.server.index([
      { name: 'a', version: '1.0.0', url: 'deep/a-1.0.0.tgz' },
      { name: 'b', version: '1.0.0', url: '/b.tgz' },
      { name: 'c', version: '1.0.0', url: `${other.url}/c.tgz`, digest: digestOf(chart('c', '1.0.0')) },
    ])
    const { code, stdout, stderr } = await house.run(`${house.server.url}/index.yaml?token=hidden`)
    expect({ code, stdout }).toEqual({ code: 0, stdout: broken('3 imported') })
    expect(stderr + stdout).not.toContain('hidden')
    expect(house.server.calls.map(({ path }) => path)).toContain('/deep/a-1.0.0.tgz?token=hidden')
    expect(other.calls.map(({ path }) => path)).toEqual(['/c.tgz', '/c.tgz.prov'])
  })

  it('goes on to the next address where one has not the right archive', async () => {
    const house = await openHouse(['app-1.0.0'])
    const text = String(house.server.files.get('/index.yaml'))
    const more = '    - missing.tgz\n    - wrong.tgz\n    - app-1.0.0.tgz\n'
    house.server.files.set('/index.yaml', Buffer.from(text.replace('    - app-1.0.0.tgz\n', more)))
    house.server.files.set('/wrong.tgz', chart('app', '9.9.9'))
    expect(await house.outcome()).toMatchObject({ code: 0, imported: 1, leftOut: [] })
  })

  it('puts them where it is told to, by any spelling of it', async () => {
    const house = await openHouse(['app-1.0.0'])
    for (const to of ['local/team', 'local/team/', 'oci://localhost:5000/local/team']) {
      expect(await house.outcome('--to', to)).toMatchObject({ code: 0, to: 'local/team/' })
    }
    expect(await held(await house.serve(), 'local/team/app', '1.0.0')).toBeDefined()
  })

  it('takes what is asked for: charts by name, versions by range as Helm reads it', async () => {
    const house = await openHouse([
      'app-1.0.0',
      'app-1.5.0',
      'app-v1.6.0',
      'app-2.0.0-rc.1',
      'app-db-1.0.0',
      'db-1.0.0',
    ])
    expect(await house.outcome('--chart', 'app*', '--range', '^1.2', '--dry-run')).toMatchObject({
      code: 0,
      imported: 2,
      others: 4,
      dryRun: true,
    })
    expect(await house.outcome('--range', '>1.6-0', '--dry-run')).toMatchObject({ imported: 1 })
    expect(await house.outcome('--chart', 'db', '--chart', 'app-*')).toMatchObject({ imported: 2 })
  })

  it('only says what it would do where that is asked', async () => {
    const house = await openHouse(['app-1.0.0', 'app-1.1.0'])
    await house.run('--range', '1.0.x')
    const asked = house.server.count(/tgz/)
    const { code, stdout } = await house.run('--dry-run')
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'would go into charts/: 1 imported, 1 there already, 0 left out\n',
    })
    expect(house.server.count(/tgz/)).toBe(asked)
    expect(await held(await house.serve(), 'charts/app', '1.1.0')).toBeUndefined()
  })
})

describe('a repository that wants to know who asks', () => {
  async function guarded() {
    const house = await openHouse(['app-1.0.0'])
    const other = await startChartServer()
    other.files.set('/app-2.0.0.tgz', chart('app', '2.0.0'))
    const digest = digestOf(chart('app', '2.0.0'))
    house.server.index([
      { name: 'app', version: '1.0.0' },
      { name: 'app', version: '2.0.0', url: `${other.url}/app-2.0.0.tgz`, digest },
    ])
    const known = `Basic ${Buffer.from('jane:s3cret%').toString('base64')}`
    const { files, misbehave } = house.server
    misbehave(/./, (request, response) => {
      const content = files.get(request.url ?? '')
      if (request.headers.authorization !== known) response.writeHead(401).end()
      else if (content) response.end(content)
      else response.writeHead(404).end()
    })
    return { house, other }
  }

  it.each([
    ['by the flags', (url: string) => [url, '--username', 'jane', '--password-stdin']],
    ['by its address', (url: string) => [url.replace('://', '://jane:s3cret%25@')]],
  ])('is told %s, and nobody else is', async (_how, args) => {
    const { house, other } = await guarded()
    const { code, stdout, stderr } = await house.runWith('s3cret%\n', ...args(house.server.url))
    expect({ code, stdout }).toEqual({ code: 0, stdout: broken('2 imported') })
    expect(other.calls.map(({ authorization }) => authorization)).toEqual([undefined, undefined])
    expect(stdout + stderr).not.toMatch(/s3cret|jane/)
  })

  it('refuses whoever it does not know, and no secret is printed', async () => {
    const { house } = await guarded()
    const { code, stdout, stderr } = await house.run(house.server.url.replace('://', '://jane:wr0ng@'))
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('answers 401: --username')
    expect(stderr).not.toMatch(/wr0ng|jane/)
  })
})

describe('the usage', () => {
  it('is as it stands in docs/import-charts.md, flag by flag', async () => {
    const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'import-charts.md'), 'utf8')
    const house = await openHouse([])
    const { stdout } = await house.run('--help')
    const [, usage = ''] = /entrepot import-charts URL(.*?)\n\n/s.exec(stdout) ?? []
    const flags = [...usage.matchAll(/--[a-z-]+/g)].map(([flag]) => flag)
    expect(flags.length).toBeGreaterThan(8)
    expect(flags.filter((flag) => !page.includes(`\`${flag}`))).toEqual([])
  })
})
