/** What `entrepot import-charts` says: a line while it works, and in the end what came in, and what did not, and why. */
import type { ImportResult } from '../charts/import-charts.ts'
import type { Remark, Selection } from '../charts/selection.ts'
import { printable } from './exit-code.ts'

export interface Progress {
  show: (result: ImportResult) => void
  end: () => void
}

/** A stream, which may be a terminal. */
export interface Terminal {
  isTTY: boolean
  write(text: string): boolean
}

export interface ProgressOptions {
  /** ms between two lines: of a terminal, and of anything else. */
  terminalEvery?: number
  every?: number
}

/** A terminal has one line that is written over; anything else gets lines now and then. */
export function createProgress(stream: Terminal, options: ProgressOptions = {}): Progress {
  const { terminalEvery = 100, every = 10_000 } = options
  let shownAt = stream.isTTY ? 0 : performance.now()
  return {
    show(result) {
      const now = performance.now()
      if (now - shownAt < (stream.isTTY ? terminalEvery : every)) return
      shownAt = now
      const line = `${result.chosen - result.untried} of ${result.chosen}: ${counts(result)}`
      stream.write(stream.isTTY ? `\r\u001B[2K${line}` : `${line}\n`)
    },
    end() {
      if (stream.isTTY) stream.write('\r\u001B[2K')
    },
  }
}

export interface Facts {
  /** As it may be printed. */
  source: string
  to: string
  selection: Selection
  result: ImportResult
  isDry: boolean
}

export function summary({ to, selection, result, isDry }: Facts): string {
  const { leftOut, notes, untried } = result
  const others = selection.others > 0 ? `; ${selection.others} were not asked for` : ''
  const lines = [
    `${isDry ? 'would go ' : ''}into ${to}: ${counts(result)}${others}`,
    ...(untried > 0 ? [`not tried: ${untried}`] : []),
    ...(leftOut.length > 0
      ? ['left out:', ...leftOut.map(({ name, version, reason }) => `  ${name} ${version}: ${reason}`)]
      : []),
    ...(notes.length > 0 ? ['to be known:', ...grouped(notes)] : []),
  ]
  return printable(`${lines.join('\n')}\n`)
}

export function jsonSummary({ source, to, selection, result, isDry }: Facts): string {
  const { isSilent: _, ...facts } = result
  return `${JSON.stringify({ source, to, dryRun: isDry, ...facts, others: selection.others })}\n`
}

function counts({ imported, there, bytes, leftOut }: ImportResult): string {
  const size = bytes > 0 ? ` (${megabytes(bytes)})` : ''
  return `${imported} imported${size}, ${there} there already, ${leftOut.length} left out`
}

const named = 3

/** A whole repository may lack the same thing. */
function grouped(remarks: Remark[]): string[] {
  const byReason = Map.groupBy(remarks, ({ reason }) => reason)
  return [...byReason].map(([reason, of]) => {
    const names = of.slice(0, named).map(({ name, version }) => `${name} ${version}`)
    const more = of.length > named ? ` and ${of.length - named} more` : ''
    return `  ${names.join(', ')}${more}: ${reason}`
  })
}

function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}
