/** The conformance suite of the distribution spec, at the version that test/clients/tools.tsv pins, against a registry that runs. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transcript } from '../support/process.ts'
import { toolPath } from '../support/tools.ts'

export interface Report {
  /** How many tests of the suite came to which end. */
  counts: { passed: number; failed: number; errors: number; skipped: number }
  /** What each API, and each kind of data, came to; by the suite's own names. */
  apis: Record<string, string>
  data: Record<string, string>
  /** All that the suite printed. */
  text: string
}

/** @param settings the suite's variables without `OCI_`, as its README has them */
export async function runSuite(host: string, settings: Record<string, string>): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-conformance-'))
  const all = { REGISTRY: host, TLS: 'disabled', VERSION: 'dev', RESULTS_DIR: folder, ...settings }
  const env = Object.fromEntries(Object.entries(all).map(([name, value]) => [`OCI_${name}`, value]))
  try {
    // It ends with 1 where something failed: what it printed says more than that.
    return readReport(
      await transcript(toolPath('conformance'), [], { env, cwd: folder, timeout: 240_000 }).catch(String),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What failed, in the suite's words. */
export function failuresIn({ text }: Report): string[] {
  const lines = text.slice(0, text.indexOf('\nConfiguration:')).split('\n')
  return lines.filter((line) => /: (?:FAIL|Error)$|^\s+- /.test(line)).map((line) => line.trim())
}

/** From what it prints: the files that it writes are incomplete where a test was left out. */
function readReport(text: string): Report {
  const [, counted = '', apis = '', data = ''] =
    /^OCI Conformance Result: .*\n([\s\S]*?)\nAPI conformance:\n([\s\S]*?)\n\nData conformance:\n([\s\S]*?)\n\n/m.exec(
      text,
    ) ?? []
  const counts = pairs(counted)
  if (counts['Total'] === undefined) throw new Error(`the suite did not come to its end:\n${text.slice(-2_000)}`)
  const count = (status: string) => Number(counts[status] ?? 0)
  return {
    counts: { passed: count('Pass'), failed: count('FAIL'), errors: count('Error'), skipped: count('Skip') },
    apis: pairs(apis),
    data: pairs(data),
    text,
  }
}

/** Of lines such as `  Blob get......................:       Pass`. */
function pairs(lines: string): Record<string, string> {
  return Object.fromEntries(
    [...lines.matchAll(/^ +(.+?)\.*: +(\S+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  )
}
