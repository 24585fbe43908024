/** A data directory that a daemon has left, made once for all tests of a file and copied for each. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { configFor, temporaryFolder } from '../daemon/entrepot.ts'

export interface Directory {
  data: string
  config: string
}

/** @param warm starts a daemon in the directory, and ends it */
export function copiesOf(warm: (directory: Directory) => Promise<void>): () => Promise<Directory> {
  let folder = ''
  let warming: Promise<Directory> | undefined
  afterAll(() => rm(folder, { recursive: true, force: true }))

  async function make(): Promise<Directory> {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-crash-'))
    const config = await configFor(folder, { url: 'http://127.0.0.1:9' })
    const directory = { data: join(folder, 'data'), config }
    await warm(directory)
    return directory
  }

  return async () => {
    const { data, config } = await (warming ??= make())
    const copy = join(await temporaryFolder(), 'data')
    await cp(data, copy, { recursive: true })
    return { data: copy, config }
  }
}
