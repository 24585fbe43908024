/** `npm run bench`: this daemon beside the distribution registry and nginx on loopback, run by run in turns; prints a table of ratios. */
import { parseArgs } from 'node:util'
import { type Finding, printTable } from './report.ts'
import { type Scenario, withWorkspace } from './workspace.ts'
import { coldBlob } from './scenarios/cold-blob.ts'
import { bombs } from './scenarios/json-bombs.ts'
import { manyClients } from './scenarios/many-clients.ts'
import { pushes } from './scenarios/push.ts'
import { ranges } from './scenarios/ranges.ts'
import { slowReaders } from './scenarios/slow-readers.ts'
import { warmBlob } from './scenarios/warm-blob.ts'
import { warmManifest } from './scenarios/warm-manifest.ts'

const scenarios: Record<string, Scenario> = {
  'warm-blob': warmBlob,
  'warm-manifest': warmManifest,
  'cold-blob': coldBlob,
  'many-clients': manyClients,
  'json-bombs': bombs,
  push: pushes,
  'slow-readers': slowReaders,
  ranges,
}

const usage = `npm run bench -- [SCENARIO...] [--runs N] [--seconds N] [--json]

  scenarios      ${Object.keys(scenarios).join(', ')} (default: all)
  --runs N       how often each contender runs where they take turns (default 7)
  --seconds N    how long the slow readers read (default 120)
  --json         findings as JSON instead of a table`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '120' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
process.exitCode = values.help ? help() : await bench()

async function bench(): Promise<number> {
  const names = positionals.length > 0 ? positionals : Object.keys(scenarios)
  const unknown = names.find((name) => !Object.hasOwn(scenarios, name))
  if (unknown !== undefined) {
    process.stderr.write(`${unknown} is no scenario\n\n${usage}\n`)
    return 2
  }
  const findings: Finding[] = []
  for (const name of names) {
    process.stderr.write(`${name} ...\n`)
    const options = { runs: Number(values.runs), seconds: Number(values.seconds) }
    const found = await withWorkspace(options, async (workspace) => scenarios[name]?.(workspace) ?? [])
    findings.push(...found)
  }
  if (values.json) process.stdout.write(`${JSON.stringify(findings, undefined, 2)}\n`)
  else printTable(findings)
  return findings.every((finding) => finding.met) ? 0 : 1
}

function help(): number {
  process.stdout.write(`${usage}\n`)
  return 0
}
