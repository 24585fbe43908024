/** A daemon with the users, rules and certificates of docs/access.md, made by the commands that stand there. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { parse } from 'yaml'
import { run, start } from '../support/process.ts'
import { toolPath } from '../support/tools.ts'
import { blocksUnder, type Transport } from './access-page.ts'

export interface AccessDaemon {
  /** `localhost:port`; by its address over TLS, since some clients take localhost for one without. */
  host: string
  /** Has `ca.pem`, `password` (of alice), `password.ci`, `cosign.key` and `cosign.pub`. */
  folder: string
  /** Of alice. */
  password: string
  log(): string
  stop(): Promise<void>
}

const root = join(import.meta.dirname, '..', '..')
const main = join(root, 'src', 'main.ts')
const password = 'correct horse: battery'

/** With an image in team/app, signed, and in team/copy, other/app, open/app and open/copy. */
export async function startAccessDaemon(folder: string, transport: Transport): Promise<AccessDaemon> {
  await mkdir(join(folder, 'bin'), { recursive: true })
  const env = environmentFor(folder)
  await writeFile(join(folder, 'password'), `${password}\n`)
  await writeFile(join(folder, 'password.ci'), 'of ci\n')
  await writeFile(join(folder, 'bin', 'entrepot'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`)
  await chmod(join(folder, 'bin', 'entrepot'), 0o755)
  for (const text of [...blocksUnder('Users', 'sh'), ...blocksUnder('A certificate of your own', 'sh')])
    await run('sh', ['-euc', text.replaceAll('DNS:registry.internal', 'IP:127.0.0.1')], { cwd: folder, env })
  await run('sh', ['-euc', 'echo of admin | entrepot passwd admin >> htpasswd'], { cwd: folder, env })
  await run(toolPath('cosign'), ['generate-key-pair'], { cwd: folder, env })
  await writeFile(join(folder, 'entrepot.json'), JSON.stringify(configurationFor(folder, transport)), { mode: 0o600 })
  const daemon = await start(process.execPath, [main, 'serve', '--config', join(folder, 'entrepot.json')], { env })
  const [, port = ''] = await daemon.printed(/"at":"https?:\/\/127\.0\.0\.1:(\d+)"/)
  const host = `${transport === 'TLS' ? '127.0.0.1' : 'localhost'}:${port}`
  try {
    await fill(host, folder, env)
  } catch (error) {
    await daemon.stop()
    throw error
  }
  return { host, folder, password, log: daemon.output, stop: () => daemon.stop() }
}

function environmentFor(folder: string): Record<string, string> {
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_CACHE_HOME']
  return {
    ...Object.fromEntries(names.map((name) => [name, folder])),
    PATH: [join(folder, 'bin'), process.env['PATH']].join(delimiter),
    SSL_CERT_FILE: join(folder, 'ca.pem'),
    COSIGN_PASSWORD: 'test',
  }
}

/** The page's own, but for where things are; without `tls` for plain http. */
function configurationFor(folder: string, transport: Transport): unknown {
  const [text = ''] = blocksUnder('Rules', 'yaml')
  const { tls, ...settings } = parse(text.replaceAll('/etc/entrepot', folder))
  const access = { ...settings.access, rules: [...settings.access.rules] }
  access.rules.push({ users: ['admin'], repositories: ['**'], actions: ['pull', 'push'] })
  const here = { listen: '127.0.0.1:0', data: join(folder, 'data'), dockerConfig: 'off', logLevel: 'debug' }
  return { ...settings, ...here, access, ...(transport === 'TLS' && { tls }) }
}

/** As admin: an image in each repository that the page names, and one that nobody of its users may pull. */
async function fill(host: string, folder: string, env: Record<string, string>): Promise<void> {
  const tool = (name: 'crane' | 'cosign', ...args: string[]) => run(toolPath(name), args, { cwd: folder, env })
  await tool('crane', 'auth', 'login', host, '--username', 'admin', '--password', 'of admin')
  await writeFile(join(folder, 'file'), 'a file')
  await run('tar', ['--sort=name', '--mtime=@0', '-C', folder, '-cf', join(folder, 'layer.tar'), 'file'])
  const image = `${host}/team/app:1.0`
  await tool('crane', 'append', '--oci-empty-base', '-f', join(folder, 'layer.tar'), '-t', image)
  await tool('crane', 'mutate', image, '--set-platform', 'linux/amd64', '-t', image)
  const sign = ['sign', '--yes', '--key', 'cosign.key', '--tlog-upload=false', '--use-signing-config=false']
  for (const name of ['team/copy', 'other/copy', 'open/app', 'open/copy']) {
    await tool('crane', 'copy', image, `${host}/${name}:1.0`)
    if (name === 'open/app') await tool('cosign', ...sign, '--allow-http-registry', `${host}/${name}:1.0`)
  }
  await tool('cosign', ...sign, '--allow-http-registry', image)
}
