/** Repositories as people write them on a command line. */
import type { Config } from '../config/load.ts'
import { coversFirst } from '../oci/pattern.ts'
import { CommandError, exitCodes } from './exit-code.ts'

/** What the path and the query of `/v2/<name>/...` have to be. */
export interface RepositoryReference {
  name: string
  ns?: string
}

const component = /^[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*$/
const hostWithPort = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/

/**
 * `docker.io/library/node`, `oci://ghcr.io/org/charts/app`, `localhost:5000/docker.io/library/node` (this daemon's own address goes),
 * `reg.example:5001/app` (a host with a port is no name, and becomes `ns`). A tag or digest is refused: the range stands in its place.
 * @throws CommandError
 */
export function readRepository(text: string, config: Config): RepositoryReference {
  const [first = '', ...rest] = text.replace(/^oci:\/\//, '').split('/')
  if (rest.length > 0 && isOurselves(first, config)) return readRepository(rest.join('/'), config)
  if (first === 'hosted' && rest.length > 0) refuseOriginOfRules(rest.join('/'), config)
  const isHost = rest.length > 0 && hostWithPort.test(first)
  const parts = isHost ? rest : [first, ...rest]
  if (!parts.every((part) => component.test(part))) throw new CommandError(exitCodes.bad, whyNone(text, parts))
  return isHost ? { name: parts.join('/'), ns: first } : { name: parts.join('/') }
}

/** Docker Hub would be asked for it, as for any name that nothing else claims. */
function refuseOriginOfRules(name: string, { hosted, upstreams, defaultUpstream }: Config): void {
  const isClaimed =
    hosted.some((pattern) => coversFirst(pattern, 'hosted')) ||
    upstreams.some((upstream) => [upstream.name, upstream.alias, ...upstream.otherNames].includes('hosted'))
  if (isClaimed) return
  throw new CommandError(
    exitCodes.bad,
    `hosted/${name} is a spelling for rules and profiles: leave hosted/ out and write ${name}. A repository of that name at ${defaultUpstream} is ${defaultUpstream}/hosted/${name}.`,
  )
}

function isOurselves(host: string, { listen, names }: Config): boolean {
  const own = ['localhost', '127.0.0.1', '[::1]', ...('host' in listen ? [listen.host] : []), ...names]
  const port = 'port' in listen ? `:${listen.port}` : ''
  return own.some((name) => host === name || host === `${name}${port}`)
}

function whyNone(text: string, parts: string[]): string {
  const last = parts.at(-1) ?? ''
  const mark = ['@', ':'].find((one) => last.includes(one))
  const without = text.slice(0, text.length - last.length + last.indexOf(mark ?? ''))
  if (mark !== undefined && without !== '')
    return `${text} names a tag or a digest: give the repository alone, ${without}, and the range after it.`
  return `${JSON.stringify(text)} is no repository: write it as docker.io/library/node.`
}
