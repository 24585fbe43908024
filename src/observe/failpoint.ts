/**
 * Steps at which a test can stop the process or fail a call. Nothing happens unless ENTREPOT_TEST_FAILPOINT names the step:
 *
 *     plan   = point ("," point)*
 *     point  = name [":" nth] ["=error:" CODE]
 *
 * Without an action the process kills itself with SIGKILL. With `nth` (from 1) the action happens at that pass only, without it at
 * every pass: `files.renamed`, `spool.written:3`, `level.batch-before=error:ENOSPC`, `spool.written:2=error:EIO`. Passes are counted
 * from when the variable is set.
 */
import { constants } from 'node:os'

/** @throws the system error that the plan asks for at this step. */
export function failpoint(name: string): void {
  const text = process.env.ENTREPOT_TEST_FAILPOINT
  if (text === undefined || text === '') {
    current = undefined
    return
  }
  const point = planOf(text).get(name)
  if (point === undefined) return
  point.passes += 1
  if (point.nth !== undefined && point.passes !== point.nth) return
  if (point.error === undefined) process.kill(process.pid, 'SIGKILL')
  else throw systemError(point.error, name)
}

interface Point {
  nth: number | undefined
  error: string | undefined
  passes: number
}

let current: { text: string; points: Map<string, Point> } | undefined

function planOf(text: string): Map<string, Point> {
  if (current?.text !== text) current = { text, points: parsePlan(text) }
  return current.points
}

function parsePlan(text: string): Map<string, Point> {
  const points = new Map<string, Point>()
  for (const part of text.split(',')) {
    const match = /^([a-z.-]+)(?::(\d+))?(?:=error:(E[A-Z0-9]+))?$/.exec(part)
    if (match?.[1] === undefined) throw new Error(`ENTREPOT_TEST_FAILPOINT: "${part}" is not name[:nth][=error:CODE].`)
    points.set(match[1], { nth: match[2] === undefined ? undefined : Number(match[2]), error: match[3], passes: 0 })
  }
  return points
}

function systemError(code: string, name: string): Error {
  const number = Object.entries(constants.errno).find(([known]) => known === code)?.[1]
  return Object.assign(new Error(`${code}: failpoint ${name}`), { code, errno: number === undefined ? 0 : -number })
}
