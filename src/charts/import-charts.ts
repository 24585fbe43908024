/** Brings the charts of a selection in, a few at a time: what fails is left out with its reason, and the rest goes on. */
import { ChartError } from './go-yaml.ts'
import type { Imported } from './import-chart.ts'
import { SourceError, TargetError } from './ports.ts'
import type { ChosenChart, Remark, Selection } from './selection.ts'

export interface ImportOptions {
  /** @throws ChartError, SourceError, TargetError: why it is left out */
  bring: (chart: ChosenChart) => Promise<Imported>
  /** Once it is aborted nothing new begins. */
  signal: AbortSignal
  /** After each chart. */
  onProgress: (progress: ImportResult) => void
}

export interface ImportResult {
  /** How many were to be imported. */
  chosen: number
  imported: number
  /** That were there already. */
  there: number
  /** Of the archives that were imported. */
  bytes: number
  /** Not imported, or without their provenance. */
  leftOut: Remark[]
  notes: Remark[]
  /** Not tried: it was ended before. */
  untried: number
  /** Whether it was ended since nobody answered any more. */
  isSilent: boolean
}

const atOnce = 4
/** Charts one after another for which nobody answers, until we believe that nobody will. */
const mostSilent = 12

/** @throws what the daemon is lost by, once all that had begun has ended */
export async function importCharts(selection: Selection, options: ImportOptions): Promise<ImportResult> {
  const result = emptyResult(selection)
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const waiting = selection.chosen.values()
  let silent = 0
  const work = async () => {
    while (!signal.aborted) {
      const { value: chart } = waiting.next()
      if (!chart) return
      const outcome = await attempt(chart, options.bring)
      silent = outcome instanceof SourceError && outcome.kind === 'silent' ? silent + 1 : 0
      enter(result, chart, outcome)
      result.isSilent ||= silent >= mostSilent
      if (result.isSilent) stop.abort()
      options.onProgress(result)
    }
  }
  const works = Array.from({ length: atOnce }, async () => {
    try {
      await work()
    } catch (error) {
      stop.abort()
      throw error
    }
  })
  const failed = (await Promise.allSettled(works)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
  return result
}

function emptyResult({ chosen, leftOut, notes }: Selection): ImportResult {
  const counts = { chosen: chosen.length, imported: 0, there: 0, bytes: 0, untried: chosen.length, isSilent: false }
  return { ...counts, leftOut: [...leftOut], notes: [...notes] }
}

type Outcome = Imported | ChartError | SourceError | TargetError

async function attempt(chart: ChosenChart, bring: ImportOptions['bring']): Promise<Outcome> {
  try {
    return await bring(chart)
  } catch (error) {
    if (error instanceof ChartError || error instanceof SourceError || error instanceof TargetError) return error
    throw error
  }
}

function enter(result: ImportResult, { entry: { name, version } }: ChosenChart, outcome: Outcome): void {
  const remark = (reason: string): Remark => ({ name, version, reason })
  result.untried -= 1
  if (outcome instanceof Error) {
    result.leftOut.push(remark(outcome.message))
    return
  }
  result[outcome.what] += 1
  if (outcome.what === 'imported') result.bytes += outcome.bytes
  result.leftOut.push(...outcome.faults.map(remark))
  result.notes.push(...outcome.notes.map(remark))
}
