/** Pushed manifests that are JSON bombs of 4 MiB: how long each takes to be refused, and how much memory the daemon takes for them. */
import { connect } from 'node:net'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Daemon, startDaemon } from '../../test/support/daemon.ts'
import { type JsonBomb, jsonBombs } from '../../test/support/json-bombs.ts'
import { manifestType, mebibyte } from '../content.ts'
import type { Finding } from '../report.ts'
import { median } from '../turns.ts'
import type { Workspace } from '../workspace.ts'

const postsARun = 20
const atOnce = 16
const noManifest = { shape: 'no manifest', body: Buffer.from('[]') }
/** ms, and MiB. */
const limits = { time: 20, memory: 8 }

export async function bombs({ runs, owns }: Workspace): Promise<Finding[]> {
  const daemon = owns(await startDaemon({ config: { dockerConfig: 'off' } }))
  const posts = runs * postsARun
  // What any push and any connection cost is not the bombs' doing: they are measured on a daemon that has taken a blob, and has refused as
  // many small manifests on connections of their own.
  await pushZeros(daemon, 256 * mebibyte)
  for (let post = 0; post < posts * jsonBombs.length; post += 1) await refuse(daemon, noManifest)
  const taken = new Map<JsonBomb, Taken[]>(jsonBombs.map((bomb) => [bomb, []]))
  const oneOfEach = await growthBy(daemon, async () => {
    for (const [bomb, all] of taken) all.push(await measured(daemon, bomb))
  })
  const inTurn = await growthBy(daemon, async () => {
    for (let post = 0; post < posts; post += 1) {
      for (const [bomb, all] of taken) all.push(await measured(daemon, bomb))
    }
  })
  const together = await growthBy(daemon, async () => {
    for (let run = 0; run < runs; run += 1) {
      for (const bomb of jsonBombs) await Promise.all(Array.from({ length: atOnce }, () => refuse(daemon, bomb)))
    }
  })
  const all = [...taken.values()].flat()
  const many = `${jsonBombs.length} bombs, each ${posts} times`
  return [
    ...[...taken].map(([{ shape }, its]) =>
      below(limits.time, `bomb of ${shape}`, 'ms to the refusal, median', median(its.map(({ wall }) => wall))),
    ),
    below(limits.time, many, 'ms of the main thread, the most', Math.max(...all.map(({ cpu }) => cpu))),
    // With the stalls of the machine.
    noted(many, 'ms to the refusal, the slowest', Math.max(...all.map(({ wall }) => wall))),
    below(limits.memory, `${jsonBombs.length} bombs, one of each`, 'MiB more at the peak', oneOfEach),
    // What one leaves behind, some 100 KiB, is collected now and then.
    noted(`${many}, one after another`, 'MiB more at the peak', inTurn),
    noted(`${jsonBombs.length} bombs, each ${runs} times by ${atOnce} at once`, 'MiB more at the peak', together),
  ]
}

/** ms: until the refusal was there, and what the daemon's main thread has worked for it, in which nobody else is served. */
interface Taken {
  wall: number
  cpu: number
}

function below(limit: number, scenario: string, unit: string, ours: number): Finding {
  return { scenario, unit, ours, target: `<= ${limit}`, met: ours <= limit }
}

function noted(scenario: string, unit: string, ours: number): Finding {
  return { scenario, unit, ours, target: '', met: true }
}

async function measured(daemon: Daemon, bomb: JsonBomb): Promise<Taken> {
  const before = await worked(daemon)
  const wall = await refuse(daemon, bomb)
  return { wall, cpu: (await worked(daemon)) - before }
}

/** ms for which the main thread has run since its start (Linux: sched-stats.rst, "/proc/<pid>/schedstat"). */
async function worked({ pid }: Daemon): Promise<number> {
  const [nanoseconds] = (await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ')
  return Number(nanoseconds) / 1e6
}

/** ms from the first byte of the request to the last of the answer. @throws where the bomb is not refused */
async function refuse(daemon: Daemon, { shape, body }: JsonBomb): Promise<number> {
  const [host = '', port = ''] = daemon.host.split(':')
  const socket = connect(Number(port), host)
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  const head = `PUT /v2/local/bench/manifests/bomb HTTP/1.1\r\nHost: ${daemon.host}\r\nContent-Type: ${manifestType}\r\nContent-Length: ${body.length}\r\n\r\n`
  const since = performance.now()
  socket.write(head)
  socket.write(body)
  const answer = await new Promise<string>((resolve) => {
    let came = ''
    socket.on('data', (chunk) => {
      came += String(chunk)
      if (came.endsWith(']}')) resolve(came)
    })
    // The connection may break while the rest is still being sent.
    socket.on('error', () => {})
    socket.once('close', () => resolve(came))
  })
  const taken = performance.now() - since
  socket.destroy()
  if (!answer.startsWith('HTTP/1.1 400 ')) throw new Error(`${shape} was answered with ${answer.slice(0, 100)}`)
  return taken
}

async function pushZeros(daemon: Daemon, size: number): Promise<void> {
  const body = new Uint8Array(size)
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`
  const { status } = await fetch(`${daemon.url}/v2/local/bench/blobs/uploads/?digest=${digest}`, {
    method: 'POST',
    body,
  })
  if (status !== 201) throw new Error(`a blob could not be pushed: ${status}`)
}

/** MiB by which the work has raised the peak of what was ever resident. */
async function growthBy(daemon: Daemon, work: () => Promise<void>): Promise<number> {
  const before = await peakMemory(daemon)
  await work()
  return (await peakMemory(daemon)) - before
}

async function peakMemory({ pid }: Daemon): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1]) / 1024
}
