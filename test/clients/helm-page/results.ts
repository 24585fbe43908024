/** What was seen of each line of the page in each mode, as the table of docs/helm.md. */
import { aligned, mark } from '../table.ts'
import { type Mode, modes } from './modes.ts'

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

/** As docs/helm.md has it: a column for each Helm, which says `yes` of all of its modes, or names those that a line is about, or that failed. */
export function resultTable(): string {
  const helms = Map.groupBy(modes, ({ helm }) => helm)
  const titles = [...helms.values()].map(([mode]) => `Helm ${mode?.title.split(' ')[0]}`)
  const rows = [...lines].map(([line, results]) => [line, ...[...helms.values()].map((all) => cell(all, results))])
  return aligned([['the page', ...titles], ...rows])
}

/** A column for each mode. */
export function fullTable(): string {
  const titles = modes.map(({ title }) => title)
  const rows = [...lines].map(([line, results]) => [line, ...titles.map((title) => mark(results.get(title)))])
  return aligned([['the page', ...titles], ...rows])
}

function cell(all: readonly Mode[], results: ReadonlyMap<string, boolean>): string {
  const asked = all.filter(({ title }) => results.has(title))
  const failed = asked.filter(({ title }) => results.get(title) !== true)
  if (failed.length > 0) return `${mark(false)}: ${failed.map(placeOf).join('; ')}`
  if (asked.length === 0) return mark(undefined)
  return asked.length === all.length ? mark(true) : `${mark(true)}: ${asked.map(placeOf).join('; ')}`
}

function placeOf({ listener, access }: Mode): string {
  return [listener === 'https' ? 'TLS' : 'http', ...(access ? ['access'] : [])].join(', ')
}
