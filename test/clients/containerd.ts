/** containerd as root with folders of its own, and one `_default/hosts.toml` that sends every registry to the daemon. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Item } from '../support/content.ts'
import { run, start } from '../support/process.ts'
import { toolPath } from '../support/tools.ts'
import type { ClientStore, Path } from './clients.ts'

interface ContainerdStore extends ClientStore {
  /** Without a mirror: the daemon's address stands in the reference. */
  pullByName: ClientStore['pull']
  /** Pulls an image by its name, and pushes it under another one. */
  pushByName(from: string, to: string): Promise<string>
}

export async function openContainerd(folder: string): Promise<ContainerdStore> {
  const socket = join(folder, 'sock')
  const hosts = join(folder, 'hosts')
  const config = join(folder, 'config.toml')
  await mkdir(join(hosts, '_default'), { recursive: true })
  await writeFile(config, settings(folder, socket))
  const containerd = await start(toolPath('containerd'), ['--config', config])
  await containerd.printed(/containerd successfully booted/)
  const ctr = (...args: string[]) => run(toolPath('ctr'), ['--address', socket, ...args])
  const digestOf = async (reference: string) => {
    const listed = await ctr('images', 'list', `name==${reference}`)
    return /sha256:[0-9a-f]{64}/.exec(listed)?.[0] ?? `no digest in: ${listed}`
  }
  return {
    async pull(path, item) {
      await writeFile(join(hosts, '_default', 'hosts.toml'), hostsToml(path.daemon))
      const reference = `${path.upstream}/${item.name}:${item.tag}`
      await ctr(...pullCommand(item), '--hosts-dir', hosts, reference)
      return digestOf(reference)
    },
    async pullByName(path, item) {
      const reference = `${path.daemon.replace('127.0.0.1', 'localhost')}/${path.alias}/${item.name}:${item.tag}`
      await ctr(...pullCommand(item), reference)
      return digestOf(reference)
    },
    async pushByName(from, to) {
      await ctr('images', 'pull', '--snapshotter', 'native', '--plain-http', from)
      await ctr('images', 'push', '--plain-http', to, from)
      return digestOf(from)
    },
    close: () => containerd.stop(),
  }
}

/** A chart has no layers that could be unpacked, so it is only fetched. */
function pullCommand(item: Item): string[] {
  return item.kind === 'chart' ? ['content', 'fetch'] : ['images', 'pull', '--snapshotter', 'native']
}

function hostsToml(daemon: Path['daemon']): string {
  return [`[host."http://${daemon}"]`, '  capabilities = ["pull", "resolve"]', ''].join('\n')
}

/** Without the plugins that write outside the folder; unpacked by copying, which needs no overlay file system. */
function settings(folder: string, socket: string): string {
  const disabled = [
    'io.containerd.cri.v1.images',
    'io.containerd.cri.v1.runtime',
    'io.containerd.grpc.v1.cri',
    'io.containerd.internal.v1.opt',
    'io.containerd.nri.v1.nri',
  ]
  return `version = 3
root = '${join(folder, 'root')}'
state = '${join(folder, 'state')}'
disabled_plugins = [${disabled.map((name) => `'${name}'`).join(', ')}]
[grpc]
  address = '${socket}'
[ttrpc]
  address = '${socket}.ttrpc'
[plugins.'io.containerd.transfer.v1.local']
  [[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
    platform = 'linux/${process.arch === 'x64' ? 'amd64' : process.arch}'
    snapshotter = 'native'
`
}
