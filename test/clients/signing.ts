/** What is signed and attached to, with which keys, and where: shared by the steps of all clients. */
import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chartFolder } from '../support/content.ts'
import { run } from '../support/process.ts'
import { type Tool, toolPath } from '../support/tools.ts'

export type SubjectKind = 'image' | 'index' | 'chart'

/** What something is put on, as its registry has it. */
export interface Subject {
  /** The repository, without a host. */
  name: string
  tag: string
  digest: string
  /** Bytes of its manifest. */
  size: number
}

/** A subject as one client sees it: in the registry where it was pushed, or through the proxy. */
export interface Spot {
  /** With its host, and where it is a proxied one with the upstream's alias: `127.0.0.1:port/alias/name`. */
  repository: string
  /** By its tag, and by its digest. */
  reference: string
  byDigest: string
  digest: string
  /** Bytes of its manifest. */
  size: number
  /** A new folder. */
  folder: string
  keys: KeyPairs
  /** A hosted repository that nobody else uses, with its host. */
  hosted: string
  /** Standard output. @throws with all that it wrote when it does not end with 0 */
  tool: (name: Tool, ...args: string[]) => Promise<string>
}

/** Paths without their endings: `.key` is the private half, `.pub` the public one. */
interface KeyPairs {
  one: string
  two: string
}

/** Something that clients put on a subject, and how its users find it again. */
export interface Attachment {
  client: string
  what: string
  tools: readonly Tool[]
  on: SubjectKind
  /** Settles with the digests that the check looks for, if it looks for any. */
  make(spot: Spot): Promise<string[]>
  /** @throws unless everything is found, whole and unchanged */
  check(spot: Spot, made: string[]): Promise<void>
  /**
   * Where the check asks what only the upstream can say, so that it must fail while that is away. `without API`: of each attachment
   * what is attached to that, which the tag schema answers by "no such tag". `always`: of tags that are not there.
   */
  unanswered?: 'without API' | 'always'
}

export const subjectTools: Tool[] = ['crane', 'helm3', 'cosign']
const chart = { file: join(chartFolder, 'prometheus-pushgateway-3.4.0.tgz'), name: 'prometheus-pushgateway' }

/** A workshop for one test file: keys, subjects and clients, all in one folder. */
export interface Workshop {
  keys: KeyPairs
  /** @param at the repository, with its host */
  push(kind: SubjectKind, host: string, name: string): Promise<Subject>
  /** @param host of the registry, with the alias of the upstream where it is the proxy @param hosted where copies may go */
  spot(host: string, subject: Subject, hosted: string): Promise<Spot>
}

export async function openWorkshop(folder: string): Promise<Workshop> {
  await writeFile(join(folder, 'config.json'), '{}')
  const keys = { one: join(folder, 'one'), two: join(folder, 'two') }
  const tool = caller(folder, folder)
  for (const prefix of Object.values(keys)) await tool('cosign', 'generate-key-pair', '--output-key-prefix', prefix)
  const layer = await layerIn(folder)
  return {
    keys,
    async push(kind, host, name) {
      if (kind === 'chart') return pushChart(tool, host, name)
      const reference = `${host}/${name}:1.0`
      if (kind === 'image') await pushImage(tool, layer, reference, 'amd64')
      else await pushIndex(tool, layer, `${host}/${name}`)
      return { name, tag: '1.0', ...(await manifestOf(tool, reference)) }
    },
    async spot(host, { name, tag, digest, size }, hosted) {
      const own = await mkdtemp(join(folder, 'client-'))
      await cp(join(folder, 'config.json'), join(own, 'config.json'))
      const repository = `${host}/${name}`
      const references = { reference: `${repository}:${tag}`, byDigest: `${repository}@${digest}` }
      return { repository, ...references, digest, size, folder: own, keys, hosted, tool: caller(own, own) }
    },
  }
}

type Call = Spot['tool']

/** Nothing of the user's own configuration, caches and credentials reaches a client. */
function caller(home: string, cwd: string): Call {
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_RUNTIME_DIR']
  const env = { ...Object.fromEntries(names.map((name) => [name, home])), COSIGN_PASSWORD: 'test' }
  return (name, ...args) => run(toolPath(name), args, { env, cwd })
}

async function layerIn(folder: string): Promise<string> {
  await mkdir(join(folder, 'layer'))
  await writeFile(join(folder, 'layer', 'file.txt'), 'a file')
  await run('tar', ['--sort=name', '--mtime=@0', '-C', join(folder, 'layer'), '-cf', join(folder, 'layer.tar'), '.'])
  return join(folder, 'layer.tar')
}

async function pushImage(tool: Call, layer: string, reference: string, architecture: string): Promise<void> {
  await tool('crane', 'append', '--oci-empty-base', '-f', layer, '-t', reference)
  await tool('crane', 'mutate', reference, '--set-platform', `linux/${architecture}`, '-t', reference)
}

async function pushIndex(tool: Call, layer: string, repository: string): Promise<void> {
  const platforms = ['amd64', 'arm64']
  for (const platform of platforms) await pushImage(tool, layer, `${repository}:${platform}`, platform)
  const members = platforms.flatMap((platform) => ['-m', `${repository}:${platform}`])
  await tool('crane', 'index', 'append', ...members, '-t', `${repository}:1.0`)
}

async function pushChart(tool: Call, host: string, name: string): Promise<Subject> {
  await tool('helm3', 'push', '--plain-http', chart.file, `oci://${host}/${name}`)
  const subject = { name: `${name}/${chart.name}`, tag: '3.4.0' }
  return { ...subject, ...(await manifestOf(tool, `${host}/${subject.name}:${subject.tag}`)) }
}

async function manifestOf(tool: Call, reference: string): Promise<{ digest: string; size: number }> {
  const [digest, bytes] = await Promise.all([tool('crane', 'digest', reference), tool('crane', 'manifest', reference)])
  return { digest: digest.trim(), size: Buffer.byteLength(bytes) }
}
