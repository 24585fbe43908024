/** argv -> command. */
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { exitCodeOf, exitCodes, sentenceOf } from './exit-code.ts'
import { lock } from './lock.ts'
import { resolve } from './resolve.ts'
import { serve } from './serve.ts'

const usage = `entrepot: a caching proxy and mirror for OCI registries

  entrepot [serve]             the daemon
  entrepot resolve REF RANGE   which tag and digest a version range means: entrepot resolve docker.io/library/node 22.x-alpine
    --profile NAME             whose rules decide: helm, helm-legacy, flux, argo, image (default: the repository's own)
    --why                      all tags that match, and why each other one does not
    --json                     for scripts
  entrepot lock FILE           write what each range of FILE means into its lock file (docs/version-ranges.md)
    --check                    write nothing; exit with 3 where the lock is behind
    --update NAME              move this one, leave the others (may be repeated)
  entrepot --help | --version

  --config FILE       the configuration (default: $XDG_CONFIG_HOME/entrepot/config.yaml, where there is one)
  --listen HOST:PORT  where clients reach the daemon (default: 127.0.0.1:5000)
  --data DIR          where everything is kept (default: $XDG_DATA_HOME/entrepot)
  --offline           serve what is kept, ask nobody
`

const common = {
  config: { type: 'string' },
  listen: { type: 'string' },
  data: { type: 'string' },
  offline: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const

/** What to run; `undefined` where the arguments are not the command's. Each takes the arguments that follow its name. */
const commands: Record<string, (args: string[]) => (() => Promise<number | void>) | undefined> = {
  serve(args) {
    const { values, positionals } = parse(args, common)
    return positionals.length === 0 ? () => serve(values) : undefined
  },
  resolve(args) {
    const { values, positionals } = parse(args, {
      ...common,
      profile: { type: 'string' },
      why: { type: 'boolean' },
      json: { type: 'boolean' },
    })
    const [reference, range, ...more] = positionals
    if (reference === undefined || range === undefined || more.length > 0) return undefined
    return () => resolve(reference, range, values)
  },
  lock(args) {
    const { values, positionals } = parse(args, {
      ...common,
      check: { type: 'boolean' },
      update: { type: 'string', multiple: true },
    })
    const [file, ...more] = positionals
    if (file === undefined || more.length > 0 || (values.check && values.update)) return undefined
    return () => lock(file, values)
  },
}

/** Settles with the exit code (docs/errors.md). */
export async function runCommand(argv: string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) return printed(usage)
  if (argv.includes('--version')) return printed(`${await ownVersion()}\n`)
  const run = chosen(argv)
  if ('problem' in run) {
    process.stderr.write(`entrepot: ${run.problem}\n\n${usage}`)
    return exitCodes.bad
  }
  try {
    return (await run.command()) ?? 0
  } catch (error) {
    process.stderr.write(`entrepot: ${sentenceOf(error)}\n`)
    return exitCodeOf(error)
  }
}

function chosen(argv: string[]): { command: () => Promise<number | void> } | { problem: string } {
  const [first = '', ...rest] = argv
  const isNamed = first !== '' && !first.startsWith('-')
  const name = isNamed ? first : 'serve'
  const read = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!read) return { problem: `unknown command: ${name}` }
  try {
    const command = read(isNamed ? rest : argv)
    return command ? { command } : { problem: `${name} does not take these arguments: ${rest.join(' ')}` }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

function parse<Options extends ParseArgsConfig['options']>(args: string[], options: Options) {
  return parseArgs({ args, allowPositionals: true, options })
}

async function ownVersion(): Promise<string> {
  const { default: manifest } = await import('../../package.json', { with: { type: 'json' } })
  return manifest.version
}

function printed(text: string): number {
  process.stdout.write(text)
  return 0
}
