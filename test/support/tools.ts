/** The real tools that tests run: Go programs at the exact versions of test/clients/tools.tsv, and Debian packages found on PATH. */
import { accessSync, constants, readFileSync } from 'node:fs'
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
export type Tool = GoTool | 'skopeo' | 'podman' | 'dpkg'

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
