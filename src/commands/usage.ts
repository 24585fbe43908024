/** What `--help` says: of one command, or of all. */

/** Of each command its head and its own flags, in the order in which they are shown. */
const commands: Record<string, string> = {
  serve: `  entrepot [serve]             the daemon
`,
  resolve: `  entrepot resolve REF RANGE   which tag and digest a version range means: entrepot resolve docker.io/library/node 22.x-alpine
    --profile NAME             whose rules decide: helm, helm-legacy, flux, argo, image (default: the repository's own)
    --why                      all tags that match, and why each other one does not
    --json                     for scripts
`,
  lock: `  entrepot lock FILE           write what each range of FILE means into its lock file (docs/version-ranges.md)
    --check                    write nothing; exit with 3 where the lock is behind
    --update NAME              move this one, leave the others (may be repeated)
`,
  'import-charts': `  entrepot import-charts URL   bring a classic chart repository into hosted repositories (docs/import-charts.md)
    --to FOLDER/               where to (default: charts/)
    --range RANGE              only versions of this range, as Helm reads it
    --chart NAME               only this chart, * for any characters (may be repeated)
    --overwrite                move tags that hold another archive
    --dry-run                  say what would be done
    --json                     for scripts
    --username NAME            for the repository; with --password-stdin, the password from stdin
    --ca-file FILE             PEM certificates that are trusted beside the system's
`,
  passwd: `  entrepot passwd USER         a line for the file of the users; the password from the terminal, or from stdin
`,
}

const general = `  entrepot [COMMAND] --help | --version
`

const common = `
  --config FILE       the configuration (default: $XDG_CONFIG_HOME/entrepot/config.yaml, where there is one)
  --listen HOST:PORT  where clients reach the daemon (default: 127.0.0.1:5000)
  --data DIR          where everything is kept (default: $XDG_DATA_HOME/entrepot)
  --offline           serve what is kept, ask nobody
`

const withoutConfiguration = new Set(['passwd'])

/** @param command that command's part; without it, or with one that there is not, all */
export function usageOf(command: string | undefined): string {
  const part = command !== undefined && Object.hasOwn(commands, command) ? commands[command] : undefined
  if (command === undefined || part === undefined) {
    const title = 'entrepot: a caching proxy and mirror for OCI registries\n\n'
    return `${title}${Object.values(commands).join('')}${general}${common}`
  }
  return withoutConfiguration.has(command) ? part : `${part}${common}`
}
