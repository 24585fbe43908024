/** What a bench found, and the table of it. */
import { availableParallelism, cpus, release, type } from 'node:os'
import { pinnedVersion } from '../test/support/tools.ts'
import { median, type Turns } from './turns.ts'

export interface Finding {
  scenario: string
  unit: string
  ours: number
  peer?: { name: string; value: number }
  /** Ours to the peer's. */
  ratio?: number
  target: string
  met: boolean
  /** Every run, in order. */
  runs?: { ours: number[]; theirs: number[] }
}

/** A contest where more is better. */
export function compared(scenario: string, unit: string, peer: string, turns: Turns, atLeast: number): Finding {
  const { ours, theirs, ratio } = turns
  const target = `>= ${atLeast.toFixed(1)}x`
  const met = ratio >= atLeast
  return {
    scenario,
    unit,
    ours: median(ours),
    peer: { name: peer, value: median(theirs) },
    ratio,
    target,
    met,
    runs: { ours, theirs },
  }
}

export function printTable(findings: Finding[]): void {
  const rows = findings.map((finding) => [
    finding.scenario,
    `${figure(finding.ours)} ${finding.unit}`,
    finding.peer ? `${finding.peer.name} ${figure(finding.peer.value)} ${finding.unit}` : '',
    finding.ratio === undefined ? '' : `${finding.ratio.toFixed(2)}x`,
    finding.target,
    finding.target === '' ? '' : finding.met ? 'yes' : 'NO',
  ])
  const table = [['scenario', 'entrepot', 'peer', 'ratio', 'target', 'met'], ...rows]
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  const line = (row: string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`
  const rule = widths.map((width) => '-'.repeat(width))
  process.stdout.write(`${machine()}\n\n`)
  process.stdout.write([table[0] ?? [], rule, ...table.slice(1)].map(line).join(''))
}

function machine(): string {
  const cores = `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'})`
  return `${cores}, ${type()} ${release()}, Node ${process.version}, distribution ${pinnedVersion('distribution')}`
}

function figure(value: number): string {
  if (Number.isInteger(value) && value < 1000) return String(value)
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2)
}
