/** What was seen of each line of the page in each mode, as the table of docs/helm.md. */
import { aligned, mark } from '../table.ts'
import { modes } from './modes.ts'

export interface Transcript {
  /** As it stands on the page. */
  command: string
  output: string
  /** Whether it ended with 0. */
  worked: boolean
  /** Of the mode. */
  title: string
}

/** By line, then by mode; in the order in which the lines were announced. */
const lines = new Map<string, Map<string, boolean>>()

/** Every command that was run. */
export const transcripts: Transcript[] = []

export function record(line: string, title: string, worked: boolean): void {
  lines.set(line, (lines.get(line) ?? new Map<string, boolean>()).set(title, worked))
}

export function resultTable(): string {
  const titles = modes.map(({ title }) => title)
  const rows = [...lines].map(([line, results]) => [line, ...titles.map((title) => mark(results.get(title)))])
  return aligned([['the page', ...titles], ...rows])
}
