/** Clients that meet a version range where other programs have a plain tag: the FROM line of a build, containerd without a mirror. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../support/process.ts'
import { pinnedVersion, toolPath } from '../support/tools.ts'
import type { Client, ClientStore } from './clients.ts'
import { openContainerd } from './containerd.ts'

export const builders: Client[] = [
  { name: 'buildah (Debian), FROM', tools: ['buildah'], kinds: ['image'], open: openBuildah },
  {
    name: `containerd ${pinnedVersion('containerd')} (ctr), by name`,
    tools: ['containerd', 'ctr'],
    kinds: ['image'],
    async open(folder) {
      const store = await openContainerd(folder)
      return { pull: (path, item) => store.pullByName(path, item), close: () => store.close() }
    },
  },
]

/** Builds an image on the one that was asked for; buildah writes into it which digest its base had. */
async function openBuildah(folder: string): Promise<ClientStore> {
  const store = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs']
  const buildah = (...args: string[]) => run(toolPath('buildah'), [...store, ...args], { cwd: folder })
  const context = join(folder, 'context')
  await mkdir(context)
  await writeFile(join(context, 'file'), 'a file')
  return {
    async pull(path, item) {
      const file = join(await mkdtemp(join(folder, 'build-')), 'Dockerfile')
      await writeFile(file, `FROM ${path.daemon}/${path.alias}/${item.name}:${item.tag}\nCOPY file /file\n`)
      const flags = ['--isolation', 'chroot', '--tls-verify=false', '--format', 'oci', '--tag', 'built']
      await buildah('build', ...flags, '--file', file, context)
      const manifest = await buildah('inspect', '--type', 'image', '--format', '{{.Manifest}}', 'built')
      return /"org\.opencontainers\.image\.base\.digest":"([^"]+)"/.exec(manifest)?.[1] ?? `no base in: ${manifest}`
    },
    async close() {},
  }
}
