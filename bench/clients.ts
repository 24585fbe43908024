/** Clients in processes of their own: readers of bodies, pushers, and wrk for many small requests. */
import { join } from 'node:path'
import { run } from '../test/support/process.ts'
import type { Pushing, PushingResult } from './pusher.ts'
import type { Reading, ReadingResult } from './reader.ts'

export async function read(reading: Reading): Promise<ReadingResult> {
  return JSON.parse(await inProcess('reader.ts', reading)) as ReadingResult
}

export async function push(pushing: Pushing): Promise<PushingResult> {
  return JSON.parse(await inProcess('pusher.ts', pushing)) as PushingResult
}

function inProcess(program: string, task: Reading | Pushing): Promise<string> {
  return run(process.execPath, [join(import.meta.dirname, program), JSON.stringify(task)], { timeout: 600_000 })
}

/** GB/s (10^9) of one client that takes what comes. */
export async function throughput(url: string): Promise<number> {
  const { bytes, seconds } = await read({ url, clients: 1, as: { kind: 'fast' } })
  return bytes / seconds / 1e9
}

/** Requests a second over 16 connections; every answer must be a success. */
export async function requestsPerSecond(url: string, accept: string, seconds: number): Promise<number> {
  const printed = await run('wrk', ['-t1', '-c16', `-d${seconds}s`, '-H', `Accept: ${accept}`, url])
  const rate = /^Requests\/sec: *([\d.]+)/m.exec(printed)?.[1]
  if (rate === undefined || /Non-2xx|Socket errors/.test(printed)) throw new Error(`wrk found errors:\n${printed}`)
  return Number(rate)
}
