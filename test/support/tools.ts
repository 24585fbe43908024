/** The real tools that tests run: Go programs at the exact versions of test/clients/tools.tsv, and Debian packages found on PATH. */
import { createHash } from 'node:crypto'
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

type GoTool =
  | 'crane'
  | 'ggcr-registry'
  | 'helm3'
  | 'helm4'
  | 'oras'
  | 'regctl'
  | 'cosign'
  | 'containerd'
  | 'ctr'
  | 'distribution'
  | 'conformance'
export type Tool = GoTool | 'skopeo' | 'podman' | 'buildah' | 'dpkg' | 'gpg' | 'script' | 'nginx'

/** Programs of test/clients/oracles, which install builds once for each state of their sources. */
export type Oracle = 'helm3' | 'helm4' | 'helm-legacy' | 'flux' | 'argo'

const table = join(import.meta.dirname, '..', 'clients', 'tools.tsv')
const installed =
  process.env['ENTREPOT_TEST_TOOLS'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'entrepot-test-tools')

/** @throws with what to do about it when the tool is not installed */
export function toolPath(tool: Tool): string {
  const path = findTool(tool)
  if (path !== undefined) return path
  throw new Error(
    `${tool} is not installed: run test/clients/install, or apt-get install ${tool} where it is a Debian package`,
  )
}

/** Those of the tools that are not here. @throws under CI, where none may be missing */
export function missingTools(...tools: Tool[]): Tool[] {
  const missing = [...new Set(tools)].filter((tool) => findTool(tool) === undefined)
  if (missing.length > 0 && process.env['CI']) throw new Error(`not installed: ${missing.join(', ')}`)
  return missing
}

/** The version that tools.tsv pins, without its `v`; `undefined` for a Debian package. */
export function pinnedVersion(tool: Tool): string | undefined {
  const line = readFileSync(table, 'utf8')
    .split('\n')
    .find((row) => row.startsWith(`${tool}\t`))
  return line?.split('\t')[2]?.replace(/^v/, '')
}

/** @throws with what to do about it when it is not built */
export function oraclePath(oracle: Oracle): string {
  const path = executable(join(installed, oracleFile(oracle)))
  if (path !== undefined) return path
  throw new Error(`the oracle ${oracle} is not built: run test/clients/install oracle-${oracle}`)
}

/** Those of the oracles that are not here. @throws under CI, where none may be missing */
export function missingOracles(...oracles: Oracle[]): Oracle[] {
  const missing = oracles.filter((oracle) => executable(join(installed, oracleFile(oracle))) === undefined)
  if (missing.length > 0 && process.env['CI']) throw new Error(`not built: the oracles ${missing.join(', ')}`)
  return missing
}

/** As test/clients/install names it: by the sources of the program and of what all oracles share, in the order of their names. */
function oracleFile(oracle: Oracle): string {
  const sources = createHash('sha256')
  for (const folder of ['cases', oracle]) {
    const path = join(import.meta.dirname, '..', 'clients', 'oracles', folder)
    for (const name of readdirSync(path).toSorted()) sources.update(readFileSync(join(path, name)))
  }
  return `oracle-${oracle}@${sources.digest('hex').slice(0, 12)}`
}

function findTool(tool: Tool): string | undefined {
  const version = pinnedVersion(tool)
  if (version !== undefined) return executable(join(installed, `${tool}@v${version}`))
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => executable(join(folder, tool))).find((path) => path !== undefined)
}

function executable(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK)
    return path
  } catch {
    return undefined
  }
}
