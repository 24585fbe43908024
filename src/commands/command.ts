/** argv -> command. */
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { exitCodeOf, exitCodes, printable, sentenceOf } from './exit-code.ts'
import { importCharts } from './import-charts.ts'
import { lock } from './lock.ts'
import { passwd } from './passwd.ts'
import { resolve } from './resolve.ts'
import { serve } from './serve.ts'
import { usageOf } from './usage.ts'

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
  if (argv.includes('--help') || argv.includes('-h')) return printed(usageOf(named(argv)))
  if (argv.includes('--version')) return printed(`${await ownVersion()}\n`)
  const run = chosen(argv)
  if ('problem' in run) {
    process.stderr.write(`entrepot: ${printable(run.problem)}\n${run.more} tells more.\n`)
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

/** The first argument where it is no flag: without one, it is the daemon. */
function named([first]: string[]): string | undefined {
  return first === undefined || first === '' || first.startsWith('-') ? undefined : first
}

/** `more`: the line to type for whoever wants to know more. */
function chosen(argv: string[]): { command: () => Promise<void> } | { problem: string; more: string } {
  const name = named(argv)
  const read = Object.hasOwn(commands, name ?? 'serve') ? commands[name ?? 'serve'] : undefined
  if (!read) return { problem: `There is no command ${name}.`, more: 'entrepot --help' }
  try {
    return { command: read(name === undefined ? argv : argv.slice(1)) }
  } catch (error) {
    const more = name === undefined ? 'entrepot --help' : `entrepot ${name} --help`
    return { problem: problemOf(error), more }
  }
}

/** Node goes on with how to pass what looks like a flag and is none, which none of ours is. */
function problemOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message.replace(/\. To specify .*$/s, '.')
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
