/** The index of a chart repository, fetched and read: without it there is nothing to import. */
import { ChartError } from '../charts/go-yaml.ts'
import { type ChartIndex, readIndex } from '../charts/index-file.ts'
import { SourceError } from '../charts/ports.ts'
import { CommandError, exitCodes } from './exit-code.ts'
import { shown } from './import-charts-http.ts'
import type { HttpChartSource } from './import-charts-source.ts'

/** @throws CommandError */
export async function fetchIndex(source: HttpChartSource, url: URL): Promise<ChartIndex> {
  try {
    return readIndex(await source.index(url))
  } catch (cause) {
    if (cause instanceof ChartError) {
      throw new CommandError(exitCodes.bad, `${shown(url)} cannot be used: ${cause.message}.`, { cause })
    }
    if (!(cause instanceof SourceError)) throw cause
    const code = cause.kind === 'silent' ? exitCodes.unavailable : exitCodes.bad
    const hint = cause.kind === 'absent' ? ': is that a chart repository?' : '.'
    throw new CommandError(code, `${cause.message}${hint}`, { cause })
  }
}
