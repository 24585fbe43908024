import { describe, expect, it } from 'vitest'
import { chart } from '../charts/archives.ts'
import { held, openHouse } from './import-charts-house.ts'

const broken = (part: string) => expect.stringContaining(part)

describe('what entrepot import-charts leaves out', () => {
  it('has its reason, and the rest comes in', async () => {
    const house = await openHouse([])
    const { files } = house.server
    const entries: Parameters<typeof house.server.index>[0] & {} = []
    const add = (name: string, version: string, archive: Buffer | undefined, more: object = {}) => {
      if (archive) files.set(`/${name}-${version}.tgz`, archive)
      entries.push({ name, version, ...more })
    }
    add('fine', '1.0.0', chart('fine', '1.0.0'))
    add('other-bytes', '1.0.0', chart('other-bytes', '1.0.0'), { digest: 'a'.repeat(64) })
    add('absent', '1.0.0', undefined)
    add('half', '1.0.0', chart('half', '1.0.0').subarray(0, 100))
    add('renamed', '1.0.0', chart('another', '1.0.0'))
    add('older', '2.0.0', chart('older', '1.0.0'))
    add('page', '1.0.0', Buffer.from('<html>'))
    add('Upper', '1.0.0', chart('Upper', '1.0.0'))
    add('unversioned', 'latest', chart('unversioned', '1.0.0'))
    add('long', `1.0.0-${'x'.repeat(130)}`, chart('long', '1.0.0'))
    add('oci', '1.0.0', undefined, { url: 'oci://registry.example.com/charts/oci' })
    add('ftp', '1.0.0', undefined, { url: 'ftp://example.com/a.tgz' })
    add('odd-digest', '1.0.0', chart('odd-digest', '1.0.0'), { digest: 'md5:123' })
    house.server.index(entries)
    const { code, imported, leftOut } = await house.outcome()
    expect({ code, imported }).toEqual({ code: 5, imported: 1 })
    expect(Object.fromEntries(leftOut.map(({ name, reason }) => [name, reason]))).toEqual({
      'other-bytes': broken(`and the index says sha256:${'a'.repeat(64)}`),
      absent: broken('answers 404'),
      half: broken('damaged'),
      renamed: 'its archive says that its name is "another"',
      older: 'its archive says that its version is "1.0.0"',
      page: broken('no gzip'),
      Upper: broken('name cannot be pushed'),
      unversioned: 'its version is none',
      long: broken('at most 128'),
      oci: broken('in an OCI registry already: oci://registry.example.com/charts/oci'),
      ftp: broken('neither http nor https'),
      'odd-digest': broken('not SHA-256'),
    })
  })

  it('is listed for people', async () => {
    const house = await openHouse(['app-1.0.0'])
    house.server.files.set('/app-1.0.0.tgz', chart('app', '1.0.1'))
    const { code, stdout, stderr } = await house.run()
    expect(code).toBe(5)
    expect(stdout).toMatch(
      /1 left out\nleft out:\n {2}app 1\.0\.0: what arrives has the digest sha256:[0-9a-f]{64}, and/,
    )
    expect(stderr).toContain('Left out: 1')
  })

  it('never is a path that leads elsewhere', async () => {
    const house = await openHouse([])
    const names = ['../../etc', 'a/b', '..', '.hidden', 'a..b', '']
    const items = names.map((name) => `  - {name: "${name}", version: 1.0.0, urls: [x.tgz]}\n`).join('')
    house.server.files.set('/index.yaml', Buffer.from(`entries:\n  x:\n${items}`))
    house.server.files.set('/x.tgz', chart('x', '1.0.0'))
    const { imported, leftOut } = await house.outcome()
    // Without a name it has the one that it stands under.
    expect(imported).toBe(1)
    expect(leftOut.map(({ name }) => name)).toEqual(names.slice(0, -1))
  })

  it('is a second archive for one tag, whatever its version is called', async () => {
    const house = await openHouse([])
    house.server.files.set('/a.tgz', chart('app', '1.0.0'))
    house.server.files.set('/b.tgz', chart('app', '1.0.0', 'description: another\n'))
    house.server.index([
      { name: 'app', version: '1.0.0', url: 'a.tgz' },
      { name: 'app', version: '1.0.0', url: 'b.tgz' },
      { name: 'app', version: '1.0.0', url: 'a.tgz' },
    ])
    const { imported, leftOut, notes } = await house.outcome()
    expect({ imported, leftOut, notes }).toMatchObject({
      imported: 1,
      leftOut: [{ reason: 'the index has it twice: the tag 1.0.0 goes to the first, 1.0.0' }],
      notes: [{ reason: 'the index has it twice, with one digest' }],
    })
  })

  it('is what the registry refuses, in its own words', async () => {
    const house = await openHouse(['app-1.0.0'], { immutableTags: ['charts/**'] })
    await house.run()
    const { files, index } = house.server
    files.set('/app-1.0.0.tgz', chart('app', '1.0.0', 'description: another\n'))
    index()
    const { code, leftOut } = await house.outcome('--overwrite')
    expect(code).toBe(5)
    expect(leftOut).toEqual([
      { name: 'app', version: '1.0.0', reason: expect.stringMatching(/^it cannot be pushed: .*immutable/) },
    ])
  })
})

describe('a tag that is taken', () => {
  it('keeps its chart, unless it may be overwritten', async () => {
    const house = await openHouse(['app-1.0.0'])
    await house.run()
    const { files, index } = house.server
    const another = chart('app', '1.0.0', 'description: another\n')
    const before = files.get('/app-1.0.0.tgz')
    files.set('/app-1.0.0.tgz', another)
    index()
    const asked = house.server.count(/\.tgz/)
    expect(await house.outcome()).toMatchObject({ code: 5, leftOut: [{ reason: broken('--overwrite') }] })
    expect(await house.outcome('--dry-run')).toMatchObject({ code: 5, leftOut: [{ reason: broken('--overwrite') }] })
    expect(house.server.count(/\.tgz/)).toBe(asked)
    const daemon = await house.serve()
    expect((await held(daemon, 'charts/app', '1.0.0'))?.archive).toEqual(before)
    expect(await house.outcome('--overwrite')).toMatchObject({ code: 0, imported: 1 })
    expect((await held(daemon, 'charts/app', '1.0.0'))?.archive).toEqual(another)
  })

  it('may hold what is no chart', async () => {
    const house = await openHouse(['app-1.0.0'])
    const daemon = await house.serve()
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] }
    const put = await fetch(`${daemon.url}/v2/charts/app/manifests/1.0.0`, {
      method: 'PUT',
      headers: { 'content-type': index.mediaType },
      body: JSON.stringify(index),
    })
    expect(put.status).toBe(201)
    expect(await house.outcome()).toMatchObject({ code: 5, leftOut: [{ reason: broken('no chart') }] })
  })

  it('is no range of others', async () => {
    const house = await openHouse(['app-1.2.3', 'app-1.2'], { versionRanges: 'partials' })
    await house.run('--range', '1.2.3')
    expect(await house.outcome()).toMatchObject({ code: 0, imported: 1, there: 1 })
  })
})

describe('an index without digests', () => {
  it('is believed, which is said, and its archives are fetched each time', async () => {
    const house = await openHouse(['app-1.0.0'])
    house.server.index([{ name: 'app', version: '1.0.0', digest: 'none' }])
    const reason = broken('no digest')
    expect(await house.outcome()).toMatchObject({ code: 0, imported: 1, notes: [{ reason }] })
    expect(await house.outcome()).toMatchObject({ code: 0, imported: 0, there: 1, notes: [{ reason }] })
    expect(house.server.count(/\.tgz$/)).toBe(2)
    house.server.files.set('/app-1.0.0.tgz', chart('app', '1.0.0', 'description: another\n'))
    expect(await house.outcome()).toMatchObject({ code: 5, leftOut: [{ reason: broken('--overwrite') }] })
  })
})

describe('entrepot import-charts refuses', () => {
  it.each<[string, string[], number, string]>([
    ['no address', ['ftp://example.com/charts'], 1, 'no address of a chart repository'],
    ['an OCI registry', ['oci://ghcr.io/org/charts'], 1, 'OCI registry already'],
    ['a folder that is not hosted', ['--to', 'docker.io/library'], 1, 'nothing below it is hosted'],
    ['a folder that is none', ['--to', '../x'], 1, 'no repository'],
    ['a range that is none', ['--range', '>>1'], 1, '--range: '],
    ['a password of nobody', ['--password-stdin'], 1, '--username'],
    ['a CA that is not there', ['--ca-file', 'none.pem'], 1, 'cannot be read'],
    ['a CA that is none', ['--ca-file', 'config.yaml'], 1, 'no certificate'],
    ['two addresses', ['http://one.example', 'http://two.example'], 1, 'one address'],
    ['a repository where nobody listens', ['http://127.0.0.1:1/'], 69, 'refused the connection'],
  ])(
    '%s',
    async (_what, args, exit, words) => {
      const house = await openHouse(['app-1.0.0'])
      const { code, stdout, stderr } = await house.run(...args)
      expect({ code, stdout }).toEqual({ code: exit, stdout: '' })
      expect(stderr).toContain(words)
    },
    30_000,
  )

  it.each([
    ['is not there', undefined, 'is that a chart repository?'],
    ['is a web page', '<html>', 'it is a web page'],
    ['is something else', 'kind: List\n', 'no index of a chart repository'],
  ])('an index that %s', async (_what, content, words) => {
    const house = await openHouse([])
    if (content === undefined) house.server.files.clear()
    else house.server.files.set('/index.yaml', Buffer.from(content))
    const { code, stderr } = await house.run()
    expect({ code, stderr }).toEqual({ code: 1, stderr: broken(words) })
  })

  it('--offline where a daemon runs, which it could not keep', async () => {
    const house = await openHouse(['app-1.0.0'])
    await house.serve()
    expect(await house.run('--offline')).toMatchObject({ code: 1, stderr: broken('--offline') })
  })
})
