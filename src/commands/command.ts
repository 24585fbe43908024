/** argv -> command. */
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { exitCodeOf, exitCodes, printable, sentenceOf } from './exit-code.ts'
import { importCharts } from './import-charts.ts'
import { lock } from './lock.ts'
import { passwd } from './passwd.ts'
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
  entrepot import-charts URL   bring a classic chart repository into hosted repositories (docs/import-charts.md)
    --to FOLDER/               where to (default: charts/)
    --range RANGE              only versions of this range, as Helm reads it
    --chart NAME               only this chart, * for any characters (may be repeated)
    --overwrite                move tags that hold another archive
    --dry-run                  say what would be done
    --json                     for scripts
    --username NAME            for the repository; with --password-stdin, the password from stdin
    --ca-file FILE             PEM certificates that are trusted beside the system's
  entrepot passwd USER         a line for the file of the users; the password from the terminal, or from stdin
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

/** What to run, given the arguments that follow its name. @throws Error with a sentence where they are not the command's */
const commands: Record<string, (args: string[]) => () => Promise<void>> = {
  serve(args) {
    const { values, positionals } = parse(args, common)
    if (positionals.length > 0) throw new Error(`serve takes no ${positionals.join(' ')}.`)
    return () => serve(values)
  },
  resolve(args) {
    const { values, positionals } = parse(args, {
      ...common,
      profile: { type: 'string' },
      why: { type: 'boolean' },
      json: { type: 'boolean' },
    })
    const [reference, range, ...more] = positionals
    if (reference === undefined || range === undefined || more.length > 0) {
      throw new Error(
        `resolve takes a repository and one range, in quotes where it has spaces: docker.io/library/node '>=22 <23'`,
      )
    }
    return () => resolve(reference, range, values)
  },
  lock(args) {
    const { values, positionals } = parse(args, {
      ...common,
      check: { type: 'boolean' },
      update: { type: 'string', multiple: true },
    })
    const [file, ...more] = positionals
    if (file === undefined || more.length > 0) throw new Error('lock takes one file, the list of what is wanted.')
    if (values.check && values.update) throw new Error('--check writes nothing, so --update has nothing to do.')
    return () => lock(file, values)
  },
  'import-charts'(args) {
    const { values, positionals } = parse(args, {
      ...common,
      to: { type: 'string' },
      range: { type: 'string' },
      chart: { type: 'string', multiple: true },
      username: { type: 'string' },
      'password-stdin': { type: 'boolean' },
      'ca-file': { type: 'string' },
      overwrite: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      json: { type: 'boolean' },
    })
    const [address, ...more] = positionals
    if (address === undefined || more.length > 0) {
      throw new Error('import-charts takes one address, of a chart repository or its index.yaml.')
    }
    return () => importCharts(address, values)
  },
  passwd(args) {
    const { positionals } = parse(args, { help: common.help, version: common.version })
    const [user, ...more] = positionals
    if (user === undefined || more.length > 0)
      throw new Error('passwd takes one name; the password comes from the terminal or stdin.')
    return () => passwd(user)
  },
}

/** Settles with the exit code (docs/errors.md). */
export async function runCommand(argv: string[]): Promise<number> {
  process.stdout.on('error', endQuietly)
  if (argv.includes('--help') || argv.includes('-h')) return printed(usage)
  if (argv.includes('--version')) return printed(`${await ownVersion()}\n`)
  const run = chosen(argv)
  if ('problem' in run) {
    process.stderr.write(`entrepot: ${run.problem}\n\n${usage}`)
    return exitCodes.bad
  }
  try {
    await run.command()
    return 0
  } catch (error) {
    process.stderr.write(`entrepot: ${printable(sentenceOf(error))}\n`)
    return exitCodeOf(error)
  }
}

function chosen(argv: string[]): { command: () => Promise<void> } | { problem: string } {
  const [first = '', ...rest] = argv
  const isNamed = first !== '' && !first.startsWith('-')
  const name = isNamed ? first : 'serve'
  const read = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!read) return { problem: `unknown command: ${name}` }
  try {
    return { command: read(isNamed ? rest : argv) }
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

/** A reader that has seen enough (`| head`) is no fault; a full disk below a redirect is one of the disk. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') process.stderr.write(`entrepot: the output cannot be written: ${error.message}\n`)
  process.exit(error.code === 'EPIPE' ? 0 : exitCodes.disk)
}

function printed(text: string): number {
  process.stdout.write(text)
  return 0
}
