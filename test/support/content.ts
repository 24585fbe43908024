/** Real content in a real upstream: images of the files of Debian packages, real charts, a cosign signature, an attached artifact. */
import { createCipheriv } from 'node:crypto'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { run } from './process.ts'
import { type Tool, toolPath } from './tools.ts'
import type { TestUpstream } from './upstreams.ts'

/**
 * `signature` cosign's by the tag schema, `bundle` cosign's as a referrer, `referrer` an artifact attached by oras, `range` a chart
 * asked for by a version range.
 */
export type Kind = 'index' | 'image' | 'chart' | 'range' | 'signature' | 'bundle' | 'referrer'

export interface Item {
  kind: Kind
  name: string
  /** The tag, or the version range of a `range`. */
  tag: string
  /** Of what the client shall end with: the signed manifest of a `signature`, the attached one of a `referrer`. */
  digest: string
  /** The very bytes that the client shall end with, where there is one file. */
  file?: string
}

/** Which packages and charts an upstream holds: different ones each, so that no two of them share a blob. */
export interface Selection {
  image: string
  index: string
  chart: string
}

export const selections: Selection[] = [
  { image: 'hostname', index: 'gzip', chart: 'alertmanager' },
  { image: 'sed', index: 'bsdutils', chart: 'kube-state-metrics' },
  { image: 'grep', index: 'diffutils', chart: 'prometheus-node-exporter' },
  { image: 'findutils', index: 'debianutils', chart: 'prometheus-pushgateway' },
]

export const contentTools: Tool[] = ['crane', 'helm4', 'oras', 'cosign', 'dpkg']
export const chartFolder = join(import.meta.dirname, '..', 'data', 'charts')
export const tagFolder = join(import.meta.dirname, '..', 'data', 'tags')

const charts: Record<string, string[]> = {
  alertmanager: ['1.38.0', '1.38.1', '1.38.2', '1.38.3'],
  'kube-state-metrics': ['7.5.1', '7.5.2', '7.5.3'],
  'prometheus-node-exporter': ['4.49.0', '4.49.1', '4.49.2'],
  'prometheus-pushgateway': ['3.4.0', '3.4.1', '3.4.2'],
}
const largeLayerBytes = 24 * 1024 * 1024
const platform = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`

/** What pushing needs beside the upstream: tools with the upstreams' credentials, and a key pair for signatures. */
export interface Pusher {
  /** Folder for the environment variable DOCKER_CONFIG. */
  readonly dockerConfig: string
  readonly publicKey: string
  push(upstream: TestUpstream, selection: Selection): Promise<Item[]>
  /** Removes its files. */
  close(): Promise<void>
}

export async function createPusher(upstreams: TestUpstream[]): Promise<Pusher> {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-push-'))
  await writeDockerConfig(folder, upstreams)
  const env = { DOCKER_CONFIG: folder, COSIGN_PASSWORD: 'test', HOME: folder }
  const tool = (name: Tool, ...args: string[]) => run(toolPath(name), args, { env, cwd: folder })
  await tool('cosign', 'generate-key-pair')
  return {
    dockerConfig: folder,
    publicKey: join(folder, 'cosign.pub'),
    async push(upstream, selection) {
      const at = { host: upstream.host, folder, tool }
      const image = await pushImage(at, selection.image)
      const index = await pushIndex(at, selection.index)
      const pushedCharts = await pushCharts(at, selection.chart)
      const signed = await sign(at, image, index)
      return [index, image, ...pushedCharts, ...signed, await attach(at, image)]
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

/** A docker config with what the upstreams want; usable as the folder DOCKER_CONFIG. */
async function writeDockerConfig(folder: string, upstreams: TestUpstream[]): Promise<void> {
  const entries = upstreams.flatMap(({ host, credentials }) => {
    if (!credentials) return []
    const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')
    return [[host, { auth }] as const]
  })
  await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: Object.fromEntries(entries) }))
}

interface Place {
  host: string
  folder: string
  tool: (name: Tool, ...args: string[]) => Promise<string>
}

/** One platform, a small layer of real files and a large one that does not compress. */
async function pushImage(at: Place, package_: string): Promise<Item> {
  const large = join(at.folder, `large-${package_}`)
  await mkdir(large, { recursive: true })
  await writeFile(join(large, 'large.bin'), noise(package_, largeLayerBytes))
  const largeTar = join(at.folder, `large-${package_}.tar`)
  await run('tar', ['--sort=name', '--mtime=@0', '-C', large, '-cf', largeTar, 'large.bin'])
  const reference = `${at.host}/library/app:1.0`
  const layers = `${await packageTar(at.folder, package_)},${largeTar}`
  await at.tool('crane', 'append', '--oci-empty-base', '-f', layers, '-t', reference)
  await at.tool('crane', 'mutate', reference, '--set-platform', platform, '-t', reference)
  return { kind: 'image', name: 'library/app', tag: '1.0', digest: await digestOf(at, reference) }
}

/** The same layer under two platforms, as builders make them. */
async function pushIndex(at: Place, package_: string): Promise<Item> {
  const layer = await packageTar(at.folder, package_)
  const repository = `${at.host}/library/multi`
  for (const architecture of ['amd64', 'arm64']) {
    const reference = `${repository}:${architecture}`
    await at.tool('crane', 'append', '--oci-empty-base', '-f', layer, '-t', reference)
    await at.tool('crane', 'mutate', reference, '--set-platform', `linux/${architecture}`, '-t', reference)
  }
  await at.tool('oras', 'manifest', 'index', 'create', '--plain-http', `${repository}:1.0`, 'amd64', 'arm64')
  return { kind: 'index', name: 'library/multi', tag: '1.0', digest: await digestOf(at, `${repository}:1.0`) }
}

/** All its versions; asked for are one in the middle by name, and the newest by a range. */
async function pushCharts(at: Place, chart: string): Promise<Item[]> {
  const versions = charts[chart] ?? []
  const name = `team/${chart}`
  const items: Item[] = []
  for (const version of versions) {
    const file = join(chartFolder, `${chart}-${version}.tgz`)
    await at.tool('helm4', 'push', '--plain-http', file, `oci://${at.host}/team`)
    items.push({ kind: 'chart', name, tag: version, digest: await digestOf(at, `${at.host}/${name}:${version}`), file })
  }
  const newest = items.at(-1)
  const second = items[1]
  if (!newest || !second) throw new Error(`no versions of the chart ${chart} are known`)
  return [second, { ...newest, kind: 'range', tag: `~${versions[0]}` }]
}

async function sign(at: Place, image: Item, index: Item): Promise<Item[]> {
  const common = ['sign', '--yes', '--key', 'cosign.key', '--allow-http-registry', '--tlog-upload=false']
  const offline = [...common, '--use-signing-config=false']
  await at.tool('cosign', ...offline, '--new-bundle-format=false', `${at.host}/${image.name}@${image.digest}`)
  await at.tool('cosign', ...offline, `${at.host}/${index.name}@${index.digest}`)
  return [
    { ...image, kind: 'signature' },
    { ...index, kind: 'bundle' },
  ]
}

async function attach(at: Place, image: Item): Promise<Item> {
  await writeFile(join(at.folder, 'sbom.json'), JSON.stringify({ bomFormat: 'CycloneDX', subject: image.digest }))
  const reference = `${at.host}/${image.name}:${image.tag}`
  const type = ['--artifact-type', 'application/vnd.cyclonedx+json']
  const printed = await at.tool('oras', 'attach', '--plain-http', ...type, reference, 'sbom.json:application/json')
  const digest = /Digest: (sha256:[0-9a-f]{64})/.exec(printed)?.[1]
  if (digest === undefined) throw new Error(`oras attach printed no digest:\n${printed}`)
  return { ...image, kind: 'referrer', digest }
}

/** The regular files of an installed package as a tar. */
async function packageTar(folder: string, package_: string): Promise<string> {
  const tar = join(folder, `${package_}.tar`)
  const listed = (await run(toolPath('dpkg'), ['-L', package_])).split('\n').filter((path) => path !== '')
  const files = await Promise.all(listed.map(async (path) => ((await isFile(path)) ? [path.slice(1)] : [])))
  const list = join(folder, `${basename(tar)}.list`)
  await writeFile(list, files.flat().join('\n'))
  await run('tar', ['--sort=name', '--mtime=@0', '--dereference', '-C', '/', '-cf', tar, '-T', list])
  return tar
}

/** Debian leaves out documentation in its container images, so a package may list files that are not there. */
async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ?? false
}

/** Bytes that do not compress, the same for the same seed. */
function noise(seed: string, size: number): Buffer {
  const cipher = createCipheriv('aes-128-ctr', seed.padEnd(16, '.').slice(0, 16), Buffer.alloc(16))
  return cipher.update(Buffer.alloc(size))
}

async function digestOf(at: Place, reference: string): Promise<string> {
  return (await at.tool('crane', 'digest', reference)).trim()
}
