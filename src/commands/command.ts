/** argv -> command. */
import { parseArgs } from 'node:util'
import { serve } from './serve.ts'

const usage = `entrepot: a caching proxy and mirror for OCI registries

  entrepot [serve] [--config FILE] [--listen HOST:PORT] [--data DIR] [--offline]
  entrepot --help | --version

  --config FILE       the configuration (default: $XDG_CONFIG_HOME/entrepot/config.yaml, where there is one)
  --listen HOST:PORT  where clients reach the daemon (default: 127.0.0.1:5000)
  --data DIR          where everything is kept (default: $XDG_DATA_HOME/entrepot)
  --offline           serve what is kept, ask nobody
`

/** Settles with the exit code: 0 done, 1 bad arguments or configuration, 2 data directory held, 70 our own fault, 74 disk. */
export async function runCommand(argv: string[]): Promise<number> {
  const parsed = parse(argv)
  if ('problem' in parsed) {
    process.stderr.write(`entrepot: ${parsed.problem}\n\n${usage}`)
    return 1
  }
  if (parsed.values.help) {
    process.stdout.write(usage)
    return 0
  }
  if (parsed.values.version) {
    const { default: manifest } = await import('../../package.json', { with: { type: 'json' } })
    process.stdout.write(`${manifest.version}\n`)
    return 0
  }
  const { config, listen, data, offline } = parsed.values
  return serve({ config, listen, data, offline })
}

function parse(argv: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        config: { type: 'string' },
        listen: { type: 'string' },
        data: { type: 'string' },
        offline: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    })
    const [command = 'serve', ...rest] = positionals
    if (command !== 'serve' || rest.length > 0) return { problem: `unknown command: ${positionals.join(' ')}` }
    return { values }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}
