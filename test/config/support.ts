import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Config, type LoadOptions, loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'

export interface Home {
  folder: string
  /** Writes a file into it that others cannot read, and gives its path. */
  write(name: string, text: string, mode?: number): string
  load(yaml: string | undefined, more?: Partial<LoadOptions>): Config
  /** The lines of the ConfigError that stops this start, without the folder's name. */
  problems(yaml: string | undefined, more?: Partial<LoadOptions>): string[]
}

/** A home folder for one test. */
export function createHome(): Home {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-config-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const write = (name: string, text: string, mode = 0o600) => {
    const path = join(folder, name)
    writeFileSync(path, text, { mode })
    return path
  }
  const load = (yaml: string | undefined, more: Partial<LoadOptions> = {}) => {
    const config = yaml === undefined ? undefined : write('c.yaml', yaml)
    return loadConfig({ env: {}, home: folder, ...more, flags: { config, ...more.flags } })
  }
  const problems = (yaml: string | undefined, more?: Partial<LoadOptions>) => {
    try {
      load(yaml, more)
    } catch (error) {
      if (error instanceof ConfigError) return error.problems.map((line) => line.replaceAll(`${folder}/`, ''))
      throw error
    }
    throw new Error('the configuration was taken')
  }
  return { folder, write, load, problems }
}

/** One upstream of a configuration. */
export function upstreamOf(config: Config, name: string) {
  const found = config.upstreams.find((upstream) => upstream.name === name)
  if (!found) throw new Error(`there is no upstream ${name}`)
  return found
}
