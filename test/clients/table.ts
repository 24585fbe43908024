/** The client matrix as a Markdown table: what each client got through the daemon, and again after the upstream was stopped. */
import type { Kind } from '../support/content.ts'

export type Phase = 'through' | 'stopped'

export interface Row {
  client: string
  kind: Kind
}

const wording: Record<Kind, string> = {
  index: 'multi-platform image',
  image: 'single image, 24 MiB layer',
  chart: 'Helm chart',
  range: 'Helm chart by version range',
  signature: 'signature, tag schema',
  bundle: 'signature, referrer',
  referrer: 'attached artifact',
}

/** @param worked whether a client got what it asked for; `undefined` when it was not tried */
export function matrixTable(
  rows: Row[],
  upstreams: string[],
  worked: (row: Row, upstream: string, phase: Phase) => boolean | undefined,
): string {
  const cell = (row: Row, upstream: string) =>
    `${mark(worked(row, upstream, 'through'))} / ${mark(worked(row, upstream, 'stopped'))}`
  const lines = rows.map((row) => [row.client, wording[row.kind], ...upstreams.map((upstream) => cell(row, upstream))])
  return aligned([['client', 'what', ...upstreams], ...lines])
}

/** @param result `undefined` when it was not tried */
export function mark(result: boolean | undefined): string {
  if (result === undefined) return '-'
  return result ? 'yes' : 'NO'
}

/** The first row is the head. */
export function aligned(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: string[]) => `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return rows.flatMap((row, at) => (at === 0 ? [line(row), rule] : [line(row)])).join('\n')
}
