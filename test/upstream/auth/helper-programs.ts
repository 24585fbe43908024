/** Credential helpers as the user would have them: executable files in a directory of their own. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface HelperPrograms {
  directory: string
  /** With `PATH` leading to the programs, and to the shell's own. */
  env: NodeJS.ProcessEnv
  /** Writes `docker-credential-<suffix>`; the script finds the server in `$server`. */
  write(suffix: string, script: string): Promise<void>
  /** What the programs were asked: `<suffix> <argument> <server>` each. */
  asked(): Promise<string[]>
  remove(): Promise<void>
}

export async function createHelperPrograms(): Promise<HelperPrograms> {
  const directory = await mkdtemp(join(tmpdir(), 'entrepot-helpers-'))
  const log = join(directory, 'asked')
  await writeFile(log, '')
  return {
    directory,
    env: { PATH: `${directory}:/usr/bin:/bin`, HOME: directory },
    async write(suffix, script) {
      const path = join(directory, `docker-credential-${suffix}`)
      const lines = ['#!/bin/sh', 'server=$(cat)', `echo "${suffix} $* $server" >> '${log}'`, script, '']
      await writeFile(path, lines.join('\n'))
      await chmod(path, 0o755)
    },
    asked: async () => (await readFile(log, 'utf8')).split('\n').filter((line) => line !== ''),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}
