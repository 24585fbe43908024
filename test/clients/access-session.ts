/** A user's shell in which the commands of docs/access.md run, as the page has them or as somebody else. */
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { run, transcript } from '../support/process.ts'
import type { AccessDaemon } from './access-daemon.ts'
import { blocksUnder, type Script } from './access-page.ts'

export interface Session {
  /** The page's commands as another user, with the password that is in a file. @throws with what they print where one fails */
  as(user: string, passwordFile: string, ...commands: string[]): Promise<string>
  /** Without a password, where a command has one. */
  without(command: string): Promise<string>
  /** With the docker configuration of the page, and no login. @param auth default: alice and her password */
  withDockerConfig(command: string, auth?: string): Promise<string>
}

/** @param home an empty folder, beside the folders `bin` (the tools) and `containerd` */
export async function openSession(script: Script, daemon: AccessDaemon, home: string): Promise<Session> {
  const env = environmentFor(home)
  const here = (text: string) =>
    text
      .replaceAll(/(registry\.internal|localhost):5000/g, daemon.host)
      .replaceAll('/etc/containerd/certs.d', join(home, 'certs.d'))
  const exported = script.setUp.split('\n').filter((line) => line.startsWith('export '))
  const shell = (...commands: string[]) =>
    transcript('sh', ['-euc', here([...exported, ...commands].join('\n'))], { cwd: home, env })

  await prepare(home, daemon, here)
  await run('sh', ['-euc', here(script.setUp)], { cwd: home, env })
  return {
    as: (user, file, ...commands) => shell(...commands.map((command) => asUser(command, user, file))),
    without: (command) => shell(command.replace(/ --user "[^"]*"/, '')),
    async withDockerConfig(command, auth = Buffer.from(`alice:${daemon.password}`).toString('base64')) {
      const [json = ''] = blocksUnder('Docker (not tested here)', 'json')
      await writeFile(join(home, '.docker', 'config.json'), here(json).replace('YWxpY2U6c2VjcmV0', auth))
      // Where podman and skopeo keep their own, which they look at first.
      await rm(join(home, 'run', 'containers'), { recursive: true, force: true })
      return shell(command)
    },
  }
}

async function prepare(home: string, { folder, host }: AccessDaemon, here: (text: string) => string): Promise<void> {
  const certificates = join(home, 'certs.d', host)
  for (const path of [join(home, '.docker'), join(home, 'run'), certificates]) await mkdir(path, { recursive: true })
  const storage = `[storage]\ndriver = "vfs"\ngraphroot = "${home}/podman"\nrunroot = "${home}/podman-run"\n`
  const [hosts = ''] = blocksUnder('containerd', 'toml')
  await writeFile(join(home, '.docker', 'config.json'), '{}')
  await writeFile(join(home, 'storage.conf'), storage)
  await writeFile(join(home, 'password.wrong'), 'wrong')
  await writeFile(join(certificates, 'hosts.toml'), here(hosts))
  await symlink(join(folder, 'ca.pem'), join(certificates, 'ca.pem'))
  for (const name of ['ca.pem', 'cosign.key', 'cosign.pub', 'password', 'password.ci'])
    await symlink(join(folder, name), join(home, name))
}

function environmentFor(home: string): Record<string, string> {
  const folder = dirname(home)
  return {
    HOME: home,
    DOCKER_CONFIG: join(home, '.docker'),
    XDG_RUNTIME_DIR: join(home, 'run'),
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_DATA_HOME: join(home, 'data'),
    PATH: [join(folder, 'bin'), process.env['PATH']].join(delimiter),
    CONTAINERS_STORAGE_CONF: join(home, 'storage.conf'),
    CONTAINERD_ADDRESS: join(folder, 'containerd', 'sock'),
    CONTAINERD_SNAPSHOTTER: 'native',
    COSIGN_PASSWORD: 'test',
  }
}

function asUser(command: string, user: string, passwordFile: string): string {
  return command
    .replaceAll('--username alice', `--username ${user}`)
    .replaceAll('--user alice', `--user ${user}`)
    .replaceAll('alice:$(cat password)', `${user}:$(cat ${passwordFile})`)
    .replaceAll('< password', `< ${passwordFile}`)
}
