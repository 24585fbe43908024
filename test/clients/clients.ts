/** How each client pulls, each into a store of its own that is empty at first. */
import { createHash } from 'node:crypto'
import { mkdtemp, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Item, Kind } from '../support/content.ts'
import { run, transcript } from '../support/process.ts'
import { pinnedVersion, type Tool, toolPath } from '../support/tools.ts'
import { openContainerd } from './containerd.ts'

/** An upstream as it is asked for through the daemon. */
export interface Path {
  /** Where the daemon listens, `127.0.0.1:port`. */
  daemon: string
  /** The upstream's alias: the first path component for clients that know only one registry, the daemon. */
  alias: string
  /** The upstream's host as the configuration knows it, for clients that send `ns`. */
  upstream: string
}

export interface ClientStore {
  /** Settles with the digest that the client says it got. @throws with the client's own output when it fails */
  pull(path: Path, item: Item): Promise<string>
  close(): Promise<void>
}

export interface Client {
  /** As it stands in docs/clients.md. */
  name: string
  tools: Tool[]
  kinds: Kind[]
  /** @param folder its own, empty and there @param publicKey of the signatures */
  open(folder: string, publicKey: string): Promise<ClientStore>
}

export const clients: Client[] = [
  simple('crane', ['crane'], ['index', 'image', 'chart'], async ({ reference, folder, tool }) => {
    await tool('crane', 'pull', '--format=oci', reference, folder)
    return layoutDigest(folder)
  }),
  helm('helm3', []),
  helm('helm4', ['--plain-http']),
  simple('oras', ['oras'], ['index', 'image', 'chart', 'referrer'], async (use) => {
    if (use.item.kind === 'referrer') return pullReferrer(use)
    await use.tool('oras', 'copy', '--from-plain-http', use.reference, '--to-oci-layout', `${use.folder}:pulled`)
    return layoutDigest(use.folder, 'pulled')
  }),
  simple('regctl', ['regctl'], ['index', 'image', 'chart'], async ({ reference, path, folder, tool }) => {
    const host = ['--host', `reg=${path.daemon},tls=disabled`]
    await tool('regctl', ...host, 'image', 'copy', reference, `ocidir://${folder}:pulled`)
    return layoutDigest(folder)
  }),
  simple('cosign', ['cosign', 'crane'], ['signature', 'bundle'], verify),
  simple('skopeo', ['skopeo'], ['index', 'image', 'chart'], async ({ reference, folder, tool }) => {
    const source = ['--src-tls-verify=false', `docker://${reference}`]
    await tool('skopeo', 'copy', '--all', '--preserve-digests', ...source, `dir:${folder}`)
    return sha256(join(folder, 'manifest.json'))
  }),
  { name: 'podman (Debian)', tools: ['podman'], kinds: ['index', 'image'], open: openPodman },
  {
    name: `containerd ${pinnedVersion('containerd')} (ctr)`,
    tools: ['containerd', 'ctr'],
    kinds: ['index', 'image', 'chart'],
    open: openContainerd,
  },
]

interface Use {
  path: Path
  item: Item
  /** `127.0.0.1:port/alias/name:tag`. */
  reference: string
  /** A new empty folder. */
  folder: string
  publicKey: string
  env: Record<string, string>
  /** Its standard output. */
  tool: (name: Tool, ...args: string[]) => Promise<string>
}

/** A client that has no store of its own: each pull goes into a new folder. */
function simple(tool: Tool, tools: Tool[], kinds: Kind[], pull: (use: Use) => Promise<string>): Client {
  return {
    name: title(tool),
    tools,
    kinds,
    async open(folder, publicKey) {
      const env = emptyHome(folder)
      return {
        async pull(path, item) {
          const own = await mkdtemp(join(folder, `${path.alias}-${item.kind}-`))
          const call = (name: Tool, ...args: string[]) => run(toolPath(name), args, { env, cwd: own })
          return pull({ path, item, reference: referenceOf(path, item), folder: own, publicKey, env, tool: call })
        },
        async close() {},
      }
    },
  }
}

/** Without `--plain-http` Helm 3 tries https, reads the plaintext reply, and falls back to http: as its users have it at hand. */
function helm(tool: 'helm3' | 'helm4', flags: string[]): Client {
  return simple(tool, [tool], ['chart', 'range'], async ({ path, item, folder, env }) => {
    const chart = `oci://${path.daemon}/${path.alias}/${item.name}`
    const args = ['pull', ...flags, chart, '--version', item.tag, '--destination', folder]
    const printed = await transcript(toolPath(tool), args, { env })
    const wanted = item.file ?? ''
    const got = await sha256(join(folder, basename(wanted)))
    if (got !== (await sha256(wanted))) throw new Error(`the chart that came is not ${basename(wanted)}: ${got}`)
    return /Digest: (sha256:[0-9a-f]{64})/.exec(printed)?.[1] ?? `no digest in: ${printed}`
  })
}

/**
 * Finds the attached artifact (referrers API, or its fallback tag), then pulls it. Only one level: whether something is attached to
 * the artifact itself nobody can tell while its upstream is away, and "could not find out" is an error, not "nothing".
 */
async function pullReferrer({ reference, item, folder, tool }: Use): Promise<string> {
  const flags = ['--plain-http', '--depth', '1', '--format', 'json']
  const discovered = await tool('oras', 'discover', ...flags, reference)
  if (!discovered.includes(item.digest)) throw new Error(`oras discover did not find ${item.digest}:\n${discovered}`)
  const attached = `${reference.slice(0, reference.lastIndexOf(':'))}@${item.digest}`
  await tool('oras', 'copy', '--from-plain-http', attached, '--to-oci-layout', `${folder}:pulled`)
  return layoutDigest(folder, 'pulled')
}

/** Of an image that is pulled too: what is not kept completely is not vouched for while its upstream is away. */
async function verify({ reference, item, publicKey, folder, tool }: Use): Promise<string> {
  await tool('crane', 'pull', '--format=oci', reference, folder)
  const format = item.kind === 'signature' ? ['--new-bundle-format=false'] : []
  const flags = ['--key', publicKey, '--insecure-ignore-tlog', '--allow-http-registry', '--output', 'json', ...format]
  const printed = await tool('cosign', 'verify', ...flags, reference)
  return /"docker-manifest-digest":"(sha256:[0-9a-f]{64})"/.exec(printed)?.[1] ?? `no digest in: ${printed}`
}

async function openPodman(folder: string): Promise<ClientStore> {
  const store = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs']
  const podman = (...args: string[]) => run(toolPath('podman'), [...store, ...args], { cwd: folder })
  return {
    async pull(path, item) {
      const reference = referenceOf(path, item)
      await podman('pull', '--quiet', '--tls-verify=false', reference)
      const known = await podman('image', 'inspect', '--format', '{{json .RepoDigests}}', reference)
      return known.includes(item.digest) ? item.digest : `none of ${known}`
    },
    close: async () => {},
  }
}

/** The digest of the only entry of an OCI layout's index.json, or of the one with a tag. */
async function layoutDigest(folder: string, tag?: string): Promise<string> {
  const index: unknown = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'))
  const entries = isObject(index) && Array.isArray(index['manifests']) ? index['manifests'].filter(isObject) : []
  const found = tag === undefined ? entries : entries.filter((entry) => refName(entry) === tag)
  return String(found.length === 1 ? found[0]?.['digest'] : `${found.length} entries`)
}

function refName(entry: Record<string, unknown>): unknown {
  const annotations = entry['annotations']
  return isObject(annotations) ? annotations['org.opencontainers.image.ref.name'] : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function sha256(file: string): Promise<string> {
  return `sha256:${createHash('sha256')
    .update(await readFile(file))
    .digest('hex')}`
}

function referenceOf(path: Path, item: Item): string {
  return `${path.daemon}/${path.alias}/${item.name}:${item.tag}`
}

/** Keeps every cache and credential of the user away. */
function emptyHome(folder: string): Record<string, string> {
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_RUNTIME_DIR']
  return Object.fromEntries(names.map((name) => [name, join(folder, 'home')]))
}

function title(tool: Tool): string {
  const version = pinnedVersion(tool)
  const name = tool.replace(/^helm[34]$/, 'helm')
  return version === undefined ? `${name} (Debian)` : `${name} ${version}`
}
