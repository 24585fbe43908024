/** What one way of following the page needs: a daemon as its users start it, a cluster, and a user with an empty home. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { once } from 'node:events'
import { issueCertificate } from '../../support/certificates.ts'
import { type KubernetesApi, startKubernetesApi } from '../../support/kubernetes-api.ts'
import { run, type Running, start } from '../../support/process.ts'
import { toolPath } from '../../support/tools.ts'
import { block } from './documented.ts'
import type { Mode } from './modes.ts'

export interface House {
  /** Where the user works. */
  readonly folder: string
  /** What stands for /etc/entrepot. */
  readonly etc: string
  /** `localhost:port`. */
  readonly registry: string
  /** The data folder of the daemon. */
  readonly data: string
  readonly cluster: KubernetesApi
  /** Of the user's shell. */
  readonly env: Record<string, string>
  log(): string
  close(): Promise<void>
}

const launcher = join(import.meta.dirname, '..', '..', '..', 'bin', 'entrepot.js')

/** @throws with the daemon's log where it does not serve, as when port 5000 is taken */
export async function openHouse(mode: Mode): Promise<House> {
  const root = await mkdtemp(join(tmpdir(), 'entrepot-helm-'))
  const [folder, etc, data] = [join(root, 'work'), join(root, 'etc'), join(root, 'data')]
  const home = join(root, 'home')
  for (const path of [folder, etc, join(home, '.docker')]) await mkdir(path, { recursive: true })
  await mkdir(join(home, '.gnupg'), { mode: 0o700 })
  const env = await environment(mode, { root, home, etc })
  const daemon = await startDaemon(mode, { etc, data, env }).catch(async (error: unknown) => {
    await rm(root, { recursive: true, force: true })
    throw error
  })
  const cluster = await startKubernetesApi()
  await cluster.writeKubeconfig(join(home, 'kubeconfig'))
  return {
    folder,
    etc,
    registry: `localhost:${daemon.port}`,
    data,
    cluster,
    env,
    log: daemon.running.output,
    async close() {
      await run('gpgconf', ['--kill', 'gpg-agent'], { env })
      await cluster.stop()
      await daemon.running.stop()
      await rm(root, { recursive: true, force: true })
    },
  }
}

interface Place {
  root: string
  home: string
  etc: string
}

async function environment(mode: Mode, { root, home, etc }: Place): Promise<Record<string, string>> {
  const bin = join(root, 'bin')
  await mkdir(bin)
  await symlink(toolPath(mode.helm), join(bin, 'helm'))
  await symlink(toolPath('crane'), join(bin, 'crane'))
  await writeFile(join(bin, 'entrepot'), `#!/bin/sh\nexec '${process.execPath}' '${launcher}' "$@"\n`, { mode: 0o755 })
  return {
    PATH: [bin, process.env['PATH']].join(delimiter),
    SHELL: '/bin/sh',
    HOME: home,
    DOCKER_CONFIG: join(home, '.docker'),
    GNUPGHOME: join(home, '.gnupg'),
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_DATA_HOME: join(home, '.local', 'share'),
    XDG_RUNTIME_DIR: join(home, '.runtime'),
    KUBECONFIG: join(home, 'kubeconfig'),
    ...(mode.listener === 'https' ? { SSL_CERT_FILE: join(etc, 'ca.crt') } : {}),
  }
}

interface Serving {
  running: Running
  port: string
}

async function startDaemon(
  { listener, access }: Mode,
  { etc, data, env }: Pick<House, 'etc' | 'data' | 'env'>,
): Promise<Serving> {
  const settings: string[] = []
  if (listener === 'https') settings.push(await certificates(etc))
  if (access) settings.push(block('yaml', 'access:').replaceAll('/etc/entrepot', etc))
  const args = ['--data', data]
  if (listener === 'localhost:5000') await nobodyAt('::1', 5000)
  else args.push('--listen', '127.0.0.1:0')
  if (access) await writeFile(join(etc, 'htpasswd'), '', { mode: 0o600 })
  if (settings.length > 0) {
    const config = join(etc, 'config.yaml')
    await writeFile(config, settings.join('\n'), { mode: 0o600 })
    args.push('--config', config)
  }
  const running = await start(process.execPath, [launcher, ...args], { env })
  try {
    const [, port = ''] = await running.printed(/"at":"https?:\/\/127\.0\.0\.1:(\d+)"[^\n]*"msg":"serving"/)
    return { running, port }
  } catch (error) {
    await running.stop()
    throw error
  }
}

/** The files that the block of docs/helm.md names. @returns that block */
async function certificates(etc: string): Promise<string> {
  const authority = issueCertificate({ name: 'authority' })
  const { cert, key } = issueCertificate({ name: 'entrepot', hosts: ['localhost'], issuer: authority })
  const files = { 'ca.crt': authority.cert, 'tls.crt': cert, 'tls.key': key }
  for (const [name, content] of Object.entries(files)) await writeFile(join(etc, name), content, { mode: 0o600 })
  return block('yaml', 'tls:').replaceAll('/etc/entrepot', etc)
}

/** `localhost` is tried there first. @throws where somebody listens */
async function nobodyAt(host: string, port: number): Promise<void> {
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect')
  } catch {
    return
  } finally {
    socket.destroy()
  }
  throw new Error(`port ${port} of ${host} is taken: stop what listens there, the page's commands name that port`)
}
