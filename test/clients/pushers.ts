/** How each client pushes, into repositories of its own. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { chartFolder } from '../support/content.ts'
import { pinnedVersion, type Tool } from '../support/tools.ts'
import { openContainerd } from './containerd.ts'
import { type Format, signingFlags, trustFlags } from './signing-cosign.ts'

interface Pushed {
  /** In the daemon, without its host. */
  repository: string
  /** Of what was pushed, as the client says. */
  digest: string
  /** The tag that was pushed, where there was one. */
  tag?: string
}

export interface PushUse {
  /** Where the daemon listens, `127.0.0.1:port`. */
  host: string
  /** A repository that nobody else uses. */
  repository: string
  /** A folder of the client's own. */
  folder: string
  /** An image of two layers: as it stands in the daemon, as an OCI layout, and its digest. */
  source: string
  layout: string
  imageDigest: string
  /** Its standard output and standard error. */
  tool: (name: Tool, ...args: string[]) => Promise<string>
}

export interface Pusher {
  client: string
  /** What it pushes, and how. */
  what: string
  tools: Tool[]
  push(use: PushUse): Promise<Pushed>
  /** False where every push makes something new, a signature for one. */
  repeats?: false
}

const chart = join(chartFolder, 'prometheus-pushgateway-3.4.0.tgz')

export const pushers: Pusher[] = [
  {
    client: named('crane'),
    what: 'image',
    tools: ['crane'],
    async push({ host, repository, layout, imageDigest, tool }) {
      await tool('crane', 'push', layout, `${host}/${repository}:1.0`)
      return { repository, digest: imageDigest, tag: '1.0' }
    },
  },
  {
    client: named('crane'),
    what: 'copy between two repositories, by mounts',
    tools: ['crane'],
    async push({ host, repository, layout, imageDigest, tool }) {
      await tool('crane', 'push', layout, `${host}/${repository}/from:1.0`)
      const copied = await tool('crane', 'copy', `${host}/${repository}/from:1.0`, `${host}/${repository}/to:1.0`)
      if (!/mounted blob|existing manifest/.test(copied)) throw new Error(`crane did not mount:\n${copied}`)
      return { repository: `${repository}/to`, digest: imageDigest, tag: '1.0' }
    },
  },
  {
    client: named('skopeo'),
    what: 'image',
    tools: ['skopeo'],
    async push({ host, repository, layout, imageDigest, tool }) {
      const target = `docker://${host}/${repository}:1.0`
      await tool('skopeo', 'copy', '--preserve-digests', '--dest-tls-verify=false', `oci:${layout}`, target)
      return { repository, digest: imageDigest, tag: '1.0' }
    },
  },
  { client: named('podman'), what: 'image', tools: ['podman'], push: pushByPodman },
  {
    client: `containerd ${pinnedVersion('containerd')} (ctr)`,
    what: 'image',
    tools: ['containerd', 'ctr'],
    push: pushByContainerd,
  },
  {
    client: named('regctl'),
    what: 'image',
    tools: ['regctl'],
    async push({ host, repository, layout, imageDigest, tool }) {
      const at = ['--host', `reg=${host},tls=disabled`]
      await tool('regctl', ...at, 'image', 'copy', `ocidir://${layout}@${imageDigest}`, `${host}/${repository}:1.0`)
      return { repository, digest: imageDigest, tag: '1.0' }
    },
  },
  { client: named('regctl'), what: 'artifact that refers to an image', tools: ['regctl'], push: putByRegctl },
  { client: named('oras'), what: 'artifact', tools: ['oras'], push: pushByOras },
  { client: named('oras'), what: 'attached artifact', tools: ['oras'], push: attachByOras, repeats: false },
  { client: named('helm3'), what: 'chart, https first and then http', tools: ['helm3'], push: pushByHelm('helm3') },
  {
    client: named('helm3'),
    what: 'chart, --plain-http',
    tools: ['helm3'],
    push: pushByHelm('helm3', '--plain-http'),
  },
  {
    client: named('helm4'),
    what: 'chart, --plain-http',
    tools: ['helm4'],
    push: pushByHelm('helm4', '--plain-http'),
  },
  {
    client: named('cosign'),
    what: 'signature, referrer',
    tools: ['cosign'],
    push: signBy('referrer'),
    repeats: false,
  },
  {
    client: named('cosign'),
    what: 'signature, tag schema',
    tools: ['cosign'],
    push: signBy('tag'),
    repeats: false,
  },
]

function named(tool: Tool): string {
  return `${tool.replace(/\d$/, '')} ${pinnedVersion(tool) ?? '(Debian)'}`
}

/** It keeps layers unpacked and compresses them anew, so that the digest is its own. */
async function pushByPodman({ host, repository, folder, source, tool }: PushUse): Promise<Pushed> {
  const store = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs']
  const file = join(folder, 'digest')
  const flags = ['--quiet', '--tls-verify=false']
  await tool('podman', ...store, 'pull', ...flags, source)
  await tool('podman', ...store, 'push', ...flags, '--digestfile', file, source, `docker://${host}/${repository}:1.0`)
  return { repository, digest: (await readFile(file, 'utf8')).trim(), tag: '1.0' }
}

async function pushByContainerd({ host, repository, folder, source }: PushUse): Promise<Pushed> {
  const containerd = await openContainerd(join(folder, 'containerd'))
  try {
    return { repository, digest: await containerd.pushByName(source, `${host}/${repository}:1.0`), tag: '1.0' }
  } finally {
    await containerd.close()
  }
}

async function putByRegctl({ host, repository, folder, layout, imageDigest, tool }: PushUse): Promise<Pushed> {
  const at = ['--host', `reg=${host},tls=disabled`]
  const image = `${host}/${repository}:1.0`
  await tool('regctl', ...at, 'image', 'copy', `ocidir://${layout}@${imageDigest}`, image)
  const file = join(folder, 'sbom.json')
  await writeFile(file, '{}')
  const what = ['--artifact-type', 'application/vnd.example.sbom', '--file', file, '--subject', image]
  const printed = await tool(
    'regctl',
    ...at,
    'artifact',
    'put',
    ...what,
    '--format',
    '{{.Manifest.GetDescriptor.Digest}}',
  )
  const listed = await tool('regctl', ...at, 'artifact', 'list', image, '--format', '{{jsonPretty .}}')
  const digest = digestIn(printed)
  if (!listed.includes(digest)) throw new Error(`regctl artifact list does not show ${digest}:\n${listed}`)
  return { repository, digest }
}

async function pushByOras({ host, repository, folder, tool }: PushUse): Promise<Pushed> {
  await writeFile(join(folder, 'notes.txt'), 'notes')
  // The time of the push would make every artifact another one.
  const created = ['--annotation', 'org.opencontainers.image.created=2000-01-01T00:00:00Z']
  const printed = await tool(
    'oras',
    'push',
    '--plain-http',
    ...created,
    `${host}/${repository}:1.0,latest`,
    'notes.txt:text/plain',
  )
  return { repository, digest: digestIn(printed), tag: 'latest' }
}

async function attachByOras(use: PushUse): Promise<Pushed> {
  const { host, repository, folder, tool } = use
  await pushByOras(use)
  await writeFile(join(folder, 'sbom.json'), '{}')
  const type = ['--artifact-type', 'application/vnd.example.sbom']
  const subject = `${host}/${repository}:1.0`
  const printed = await tool('oras', 'attach', '--plain-http', ...type, subject, 'sbom.json:application/json')
  const digest = /Digest: (sha256:[0-9a-f]{64})/.exec(printed)?.[1] ?? ''
  const found = await tool('oras', 'discover', '--plain-http', '--format', 'json', subject)
  if (!found.includes(digest)) throw new Error(`oras discover does not find ${digest}:\n${found}`)
  return { repository, digest }
}

/** By the names of Helm's own page: without `--plain-http` Helm 3 tries https, and falls back. */
function pushByHelm(helm: 'helm3' | 'helm4', ...flags: string[]) {
  return async ({ host, repository, folder, tool }: PushUse): Promise<Pushed> => {
    const printed = await tool(helm, 'push', ...flags, chart, `oci://${host}/${repository}`)
    const name = basename(chart).replace(/-3\.4\.0\.tgz$/, '')
    const back = join(folder, 'back')
    await mkdir(back, { recursive: true })
    await tool(helm, 'pull', ...flags, `oci://${host}/${repository}/${name}`, '--version', '3.4.0', '-d', back)
    const bytes = await readFile(join(back, basename(chart)))
    if (!bytes.equals(await readFile(chart))) throw new Error('the chart that came back is another one')
    return { repository: `${repository}/${name}`, digest: digestIn(printed), tag: '3.4.0' }
  }
}

function signBy(format: Format) {
  return async ({ host, repository, folder, layout, imageDigest, tool }: PushUse): Promise<Pushed> => {
    await tool('crane', 'push', layout, `${host}/${repository}:1.0`)
    const image = `${host}/${repository}@${imageDigest}`
    await tool('cosign', 'generate-key-pair')
    await tool('cosign', 'sign', ...signingFlags(join(folder, 'cosign.key'), format), image)
    await tool('cosign', 'verify', ...trustFlags(join(folder, 'cosign.pub'), format), image)
    return { repository, digest: imageDigest, tag: '1.0' }
  }
}

function digestIn(printed: string): string {
  return (
    /sha256:[0-9a-f]{64}/.exec(printed.slice(printed.lastIndexOf('Digest:') + 1))?.[0] ?? `no digest in: ${printed}`
  )
}
