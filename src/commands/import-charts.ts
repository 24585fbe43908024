/** `entrepot import-charts URL`: brings a classic chart repository into hosted repositories, each chart as `helm push` would. */
import { foreseeChart, importChart } from '../charts/import-chart.ts'
import { importCharts as importAll, type ImportResult } from '../charts/import-charts.ts'
import { type ChosenChart, type Selection, selectCharts } from '../charts/selection.ts'
import { loadConfig } from '../config/load.ts'
import { type Asking, openAsking } from './asking.ts'
import { CommandError, exitCodes, printable } from './exit-code.ts'
import { homeFolder } from './home.ts'
import { createHttp, shown } from './import-charts-http.ts'
import { fetchIndex } from './import-charts-index.ts'
import { type ImportFlags, readOrder } from './import-charts-options.ts'
import { interruptible } from './import-charts-signals.ts'
import { createProgress, jsonSummary, summary } from './import-charts-report.ts'
import { type HttpChartSource, openChartSource } from './import-charts-source.ts'
import { createImportTarget } from './import-charts-target.ts'

/** @throws CommandError `incomplete` where something was left out that was asked for */
export async function importCharts(address: string, flags: ImportFlags): Promise<void> {
  const config = loadConfig({ flags, env: process.env, home: homeFolder() })
  const { url, wish, http } = await readOrder(address, flags, config)
  const { signal, release } = interruptible()
  const source = await openChartSource(createHttp({ ...http, signal }))
  try {
    const selection = selectCharts(await fetchIndex(source, url), wish, url)
    process.stderr.write(`entrepot: charts to import: ${selection.chosen.length}, of ${printable(shown(url))}\n`)
    const asking = await openAsking(config, flags)
    sayWhoWrites(asking, flags)
    const result = await bringAll({ selection, source, asking, flags, signal })
    const facts = { source: shown(url), to: wish.to, selection, result, isDry: flags['dry-run'] === true }
    process.stdout.write(flags.json ? jsonSummary(facts) : summary(facts))
    requireAll(result)
  } finally {
    release()
    await source.close()
  }
}

function sayWhoWrites({ alone }: Asking, flags: ImportFlags): void {
  if (alone === undefined) return
  const does = flags['dry-run'] ? 'looks' : 'writes'
  process.stderr.write(`entrepot: no daemon runs on ${alone}: this ${does} into it by itself\n`)
}

interface Work {
  selection: Selection
  source: HttpChartSource
  asking: Asking
  flags: ImportFlags
  signal: AbortSignal
}

async function bringAll({ selection, source, asking, flags, signal }: Work): Promise<ImportResult> {
  const target = createImportTarget(asking.ask)
  const rules = { overwrite: flags.overwrite === true }
  const bring = flags['dry-run']
    ? (chart: ChosenChart) => foreseeChart(chart, target, rules)
    : (chart: ChosenChart) => importChart(chart, { source, target }, rules)
  const progress = createProgress(process.stderr)
  try {
    return await importAll(selection, { bring, signal, onProgress: progress.show })
  } finally {
    progress.end()
    await asking.close()
  }
}

function requireAll({ leftOut, untried, isSilent }: ImportResult): void {
  const again = 'Run this again: it goes on where it stopped.'
  if (isSilent) throw new CommandError(exitCodes.unavailable, `The chart repository does not answer any more. ${again}`)
  if (untried > 0) throw new CommandError(exitCodes.incomplete, `It was interrupted. ${again}`)
  if (leftOut.length > 0)
    throw new CommandError(exitCodes.incomplete, `Left out: ${leftOut.length}, for the reasons above.`)
}
