/** What hostile requests make the daemon do, seen from the kernel: which paths it opens and whom it connects to. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { imageManifest, imageType, noise } from '../crash/content.ts'
import { createRandom } from '../crash/random.ts'
import { startScriptedRegistry } from '../support/scripted-registry.ts'
import { configFor, type Entrepot, startEntrepot, temporaryFolder } from './entrepot.ts'
import { hostileRequest, request } from './hostile.ts'

const cases = 10_000
const atOnce = 16
const calls = ['open', 'openat', 'openat2', 'creat', 'rename', 'renameat', 'renameat2', 'unlink', 'unlinkat', 'connect']

const isThere = spawnSync('strace', ['--version']).status === 0
if (!isThere && process.env['CI']) throw new Error('strace is not installed: apt-get install strace')

interface Traced {
  /** ms since the epoch. */
  at: number
  call: string
  /** The rest of the line. */
  what: string
}

/** Also of calls that strace shows in two parts: their arguments stand in the first. */
function parseTrace(text: string): Traced[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\d+\s+(\d+\.\d+) (\w+)\((.*)$/.exec(line)
    return match ? [{ at: Number(match[1]) * 1000, call: match[2] ?? '', what: match[3] ?? '' }] : []
  })
}

/** The paths outside the data directory. */
function pathsIn(trace: Traced[], data: string): Set<string> {
  const paths = trace.flatMap(({ call, what }) =>
    call === 'connect' ? [] : (/"((?:[^"\\]|\\.)*)"/.exec(what)?.[1] ?? []),
  )
  return new Set(paths.filter((path) => path !== data && !path.startsWith(`${data}/`)))
}

/** `host:port`, or what else it is. */
function peersIn(trace: Traced[]): Set<string> {
  const peers = trace.flatMap(({ call, what }) => {
    if (call !== 'connect') return []
    const match = /sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)/.exec(what)
    return [match ? `${match[2]}:${match[1]}` : what]
  })
  return new Set(peers)
}

/** All of them, `atOnce` connections at a time; settles with how many got which status. */
async function sendAll(daemon: Entrepot, next: () => string): Promise<Map<string, number>> {
  const statuses = new Map<string, number>()
  const port = Number(new URL(daemon.url).port)
  const client = async () => {
    for (let left = cases / atOnce; left > 0; left -= 1) {
      const status = await send(port, next())
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, client))
  return statuses
}

async function send(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (answer += answer.length < 20 ? chunk : ''))
  socket.on('error', () => {})
  socket.write(Buffer.from(text, 'latin1'))
  await once(socket, 'close')
  return /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 'none'
}

test.skipIf(!isThere)(
  `${cases} hostile requests open no path and reach no host that ${cases} well-formed ones do not`,
  { timeout: 240_000 },
  async () => {
    const upstream = await startScriptedRegistry({ referrers: true })
    const layer = { digest: upstream.putBlob('app', noise('layer', 200_000)), size: 200_000 }
    const small = upstream.putBlob('app', noise('small', 2_000))
    const manifest = upstream.putManifest('app', '1.0', imageManifest([layer]), imageType)
    const folder = await temporaryFolder()
    const data = join(folder, 'data')
    const config = await configFor(folder, upstream, {
      defaultUpstream: 'up.example',
      freshFor: '50ms',
      listsFreshFor: '50ms',
    })
    const log = join(folder, 'trace')
    // -D: the child is the daemon, and strace its grandchild.
    const flags = [
      '-D',
      '-f',
      '-qq',
      '-ttt',
      '-s',
      '4096',
      '-e',
      `trace=${calls.join(',')}`,
      '-e',
      'signal=none',
      '-o',
      log,
    ]
    const daemon = await startEntrepot({ data, config, wrapper: ['strace', ...flags, '--seccomp-bpf'] })
    const seed = process.env['ENTREPOT_TEST_SEED'] ?? 'hostile'
    const random = createRandom(seed)

    const start = Date.now()
    const paths = [layer.digest, small].map((digest) => `blobs/${digest}`)
    paths.push('manifests/1.0', `manifests/${manifest}`, 'manifests/absent', 'tags/list', 'tags/list?n=1')
    paths.push(`referrers/${manifest}`, `blobs/sha256:${'0'.repeat(64)}`)
    const good = await sendAll(daemon, () => {
      const prefix = random.pick(['/v2/app/', '/v2/up.example/app/', '/up.example/v2/app/'])
      return request(random.pick(['GET', 'HEAD']), prefix + random.pick(paths))
    })
    const middle = Date.now()
    const bad = await sendAll(daemon, () => hostileRequest(random))
    const end = Date.now()
    await daemon.stop()
    await upstream.close()

    const trace = parseTrace(await readFile(log, 'utf8'))
    const between = (from: number, to: number) => trace.filter(({ at }) => at >= from && at < to)
    expect(between(start, middle).filter(({ what }) => what.includes(`${data}/blobs/`)).length).toBeGreaterThan(100)
    expect([...good.keys()].toSorted()).toEqual(['200', '404'])
    expect([...bad.keys()].filter((status) => status.startsWith('5'))).toEqual([])
    expect(bad.get('400')).toBeGreaterThan(cases / 10)
    const opened = pathsIn(between(start, middle), data)
    expect([...pathsIn(between(middle, end), data)].filter((path) => !opened.has(path))).toEqual([])
    expect([...peersIn(between(start, end))]).toEqual([upstream.host])
  },
)
