/**
 * A classic chart repository, as `helm repo index` and nginx make one of real charts, brought in by `entrepot import-charts`, and compared
 * with what `helm push` makes of the same files. The charts of test/data, or those of the folder ENTREPOT_TEST_CHARTS.
 */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { startNginx, type Upstream } from '../../bench/peers.ts'
import { type Ended, entrepot } from '../commands/cli.ts'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { run } from '../support/process.ts'
import { missingTools, pinnedVersion, toolPath } from '../support/tools.ts'
import { charts, type Helm, helms } from './helm.ts'
import { aligned } from './table.ts'

const missing = missingTools('helm3', 'helm4', 'gpg', 'nginx')
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const signer = 'Warehouse <warehouse@example.com>'
const signedVersions = ['100.0.0', '100.1.0-rc.1', '100.1.0+build.7']
const rows = [['what', 'charts', 'there already', 'left out', 'archive bytes', 'archives fetched']]

let home: string
let site: string
let files: string[]
let signed: string[]
let nginx: Upstream
let daemon: Daemon

describe.skipIf(missing.length > 0)(`a chart repository of ${charts.length} real charts${hint}`, () => {
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'entrepot-classic-'))
    site = join(home, 'site')
    await mkdir(site)
    for (const chart of charts) await copyFile(chart, join(site, basename(chart)))
    await signCharts()
    await helm('helm4', 'repo', 'index', site)
    files = (await readdir(site)).filter((file) => file.endsWith('.tgz'))
    signed = files.filter((file) => signedVersions.some((version) => file.endsWith(`-${version}.tgz`)))
    nginx = await startNginx(home, site)
    daemon = await startDaemon()
  }, 60_000)

  beforeEach(() => onTestFailed(() => console.log(logTail(daemon))))

  afterAll(async () => {
    if (rows.length > 1) console.log(aligned(rows))
    await daemon?.stop()
    await nginx?.stop()
    await run('gpgconf', ['--kill', 'gpg-agent'], { env: homeOf() })
    await rm(home, { recursive: true, force: true })
  })

  test('has charts with and without a signature', () => {
    expect(signed.length).toBe(signedVersions.length)
    expect(files.length).toBe(charts.length + signed.length)
  })

  test('comes in whole', async () => {
    const { ended, outcome } = await importAll('first run')
    expect(ended.stderr).toContain(`charts to import: ${files.length}, of ${nginx.url}/index.yaml`)
    expect(outcome).toMatchObject({ imported: files.length, there: 0, leftOut: [], notes: [] })
  }, 120_000)

  test('is known the second time without an archive that is fetched', async () => {
    const before = await archivesFetched()
    const { outcome } = await importAll('second run')
    expect(outcome).toMatchObject({ imported: 0, there: files.length, leftOut: [] })
    expect(await archivesFetched()).toBe(before)
  }, 120_000)

  test.each(helms)(
    'is what %s push makes of its files, but for the time of creation',
    async (tool) => {
      const different: string[] = []
      await eachOf(filesFor(tool), async (file) => {
        await helm(tool, 'push', join(site, file), `oci://${daemon.host}/local/${tool}`, ...plain(tool))
        const { name, tag } = chartOf(file)
        const [pushed, imported] = await Promise.all([
          manifest(`local/${tool}/${name}`, tag),
          manifest(`charts/${name}`, tag),
        ])
        if (pushed !== imported) different.push(`${pushed}\n${imported}`)
      })
      expect(different).toEqual([])
      rows.push([
        `manifests equal to ${tool} ${pinnedVersion(tool)} push`,
        String(filesFor(tool).length),
        '',
        '',
        '',
        '',
      ])
    },
    240_000,
  )

  test.each(helms)(
    'comes out byte for byte with %s pull',
    async (tool) => {
      const different: string[] = []
      await eachOf(filesFor(tool), async (file) => {
        const pulled = await pull(tool, file)
        const names = [file, ...(signed.includes(file) ? [`${file}.prov`] : [])]
        for (const name of names) {
          const [got, was] = await Promise.all([readFile(join(pulled, name)), readFile(join(site, name))])
          if (!got.equals(was)) different.push(name)
        }
      })
      expect(different).toEqual([])
      rows.push([
        `pulled by ${tool} ${pinnedVersion(tool)}, byte for byte`,
        String(filesFor(tool).length),
        '',
        '',
        '',
        '',
      ])
    },
    240_000,
  )

  test.each(helms)(
    'is verified by %s where it was signed, and not where it was not',
    async (tool) => {
      const keyring = ['--verify', '--keyring', join(home, 'public.gpg')]
      for (const file of signed) await pull(tool, file, keyring)
      const [unsigned = ''] = files.filter((file) => !signed.includes(file))
      await expect(pull(tool, unsigned, keyring)).rejects.toThrow('.prov')
      rows.push([`verified by ${tool} ${pinnedVersion(tool)}`, String(signed.length), '', '', '', ''])
    },
    120_000,
  )
})

/** All by Helm 4; by Helm 3, of which each run is a process too, the signed ones and every fourth. */
function filesFor(tool: Helm): string[] {
  return tool === 'helm4' ? files : files.filter((file, index) => index % 4 === 0 || signed.includes(file))
}

async function importAll(what: string): Promise<{ ended: Ended; outcome: Record<string, unknown> }> {
  const fetchedBefore = await archivesFetched()
  const ended = await entrepot(['import-charts', nginx.url, '--json', '--data', daemon.data], home)
  expect(ended).toMatchObject({ code: 0 })
  const outcome = JSON.parse(ended.stdout) as Record<string, unknown> & { leftOut: unknown[] }
  const { imported, there, leftOut, bytes } = outcome
  const fetched = (await archivesFetched()) - fetchedBefore
  rows.push([what, imported, there, leftOut.length, bytes, fetched].map(String))
  return { ended, outcome }
}

async function archivesFetched(): Promise<number> {
  const counts = await Promise.all(files.map((file) => nginx.gets(`/${file}`)))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** New versions of one chart, each with its `.prov` beside it. */
async function signCharts(): Promise<void> {
  const env = homeOf()
  await mkdir(env['GNUPGHOME'] ?? '', { mode: 0o700 })
  await run('gpg', ['--batch', '--passphrase', '', '--quick-generate-key', signer, 'rsa2048', 'sign'], { env })
  const secret = join(home, 'secret.gpg')
  await run('gpg', ['--batch', '--output', secret, '--export-secret-keys'], { env })
  await run('gpg', ['--batch', '--output', join(home, 'public.gpg'), '--export'], { env })
  const unpacked = join(home, 'unpacked')
  await mkdir(unpacked)
  await run('tar', ['-xzf', charts[0] ?? '', '-C', unpacked])
  const [name = ''] = await readdir(unpacked)
  await writeFile(join(home, 'passphrase'), '\n')
  const key = ['--sign', '--key', signer, '--keyring', secret, '--passphrase-file', join(home, 'passphrase')]
  for (const version of signedVersions) {
    await helm('helm4', 'package', join(unpacked, name), '--version', version, '--destination', site, ...key)
  }
}

/** @returns the folder that it was pulled into */
async function pull(tool: Helm, file: string, flags: string[] = []): Promise<string> {
  const destination = await mkdtemp(join(home, 'pulled-'))
  const { name, version } = chartOf(file)
  const verified = flags.length > 0 ? flags : file.includes('-100.') ? ['--prov'] : []
  const where = ['--version', version, '--destination', destination]
  await helm(tool, 'pull', `oci://${daemon.host}/charts/${name}`, ...where, ...verified, ...plain(tool))
  return destination
}

/** The manifest as it is kept, without the one annotation that is a time. */
async function manifest(repository: string, tag: string): Promise<string> {
  const accept = 'application/vnd.oci.image.manifest.v1+json'
  const response = await fetch(`${daemon.url}/v2/${repository}/manifests/${tag}`, { headers: { accept } })
  expect(response.status).toBe(200)
  const text = await response.text()
  const created = /"org\.opencontainers\.image\.created":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)"/
  expect(text).toMatch(created)
  return text.replace(created, 'created')
}

function chartOf(file: string): { name: string; version: string; tag: string } {
  const [, name = '', version = ''] = /^(.+?)-(\d.*)\.tgz$/.exec(file) ?? []
  return { name, version, tag: version.replaceAll('+', '_') }
}

async function eachOf(all: string[], work: (file: string) => Promise<unknown>): Promise<void> {
  const waiting = all.values()
  const worker = async () => {
    for (const file of waiting) await work(file)
  }
  await Promise.all([worker(), worker()])
}

function helm(tool: Helm, ...args: string[]): Promise<string> {
  return run(toolPath(tool), args, { env: homeOf() })
}

function plain(tool: Helm): string[] {
  return tool === 'helm4' ? ['--plain-http'] : []
}

/** Keeps every cache, credential and key of the user away. */
function homeOf(): Record<string, string> {
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME']
  return { ...Object.fromEntries(names.map((name) => [name, home])), GNUPGHOME: join(home, 'gnupg') }
}
