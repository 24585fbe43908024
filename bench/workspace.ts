/** What a scenario works in: a folder of its own, and a list of what is to be stopped when it ends, however it ends. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Finding } from './report.ts'

export interface Workspace {
  /** A folder that is removed at the end. */
  folder: string
  /** How often each contender runs where they take turns. */
  runs: number
  /** How long the slow readers read. */
  seconds: number
  /** Stops it when the scenario ends, the last one first. */
  owns: <T extends { stop(): Promise<void> }>(started: T) => T
}

export type Scenario = (workspace: Workspace) => Promise<Finding[]>

export async function withWorkspace<T>(
  options: Pick<Workspace, 'runs' | 'seconds'>,
  work: (workspace: Workspace) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-bench-'))
  const owned: { stop(): Promise<void> }[] = []
  try {
    return await work({
      ...options,
      folder,
      owns(started) {
        owned.push(started)
        return started
      },
    })
  } finally {
    for (const one of owned.toReversed()) await one.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
