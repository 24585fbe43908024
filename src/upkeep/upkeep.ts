/** Background work on what is kept: after a start at once, then every hour. Nothing waits for it. */
import type { Catalog } from '../catalog/catalog.ts'
import type { Room } from '../catalog/room.ts'
import type { SourcesFile } from '../catalog/sources.ts'
import type { Hosted } from '../hosted/hosted.ts'
import type { Log } from '../observe/log.ts'
import type { BlobStore } from '../store/blob-store.ts'
import type { Spools } from '../store/spools.ts'
import { lookForHidden, lookForRoom, type LookOptions } from './look.ts'
import { reconcile } from './reconcile.ts'
import { dropUnlinked, freeDeleted } from './unlinked.ts'

export interface UpkeepOptions extends Pick<LookOptions, 'maxSize' | 'isCovered'> {
  catalog: Catalog
  files: BlobStore
  sources: SourcesFile
  spools: Spools
  room: Room
  hosted: Pick<Hosted, 'sweep'>
  catalogIsNew: boolean
  offline: boolean
  log: Log
  now?: () => number
}

export interface Upkeep {
  /** Settles when the work under way has ended. */
  stop(): Promise<void>
}

/** ms that the partial of a download waits for the next client. */
export const partialsFor = 24 * 60 * 60_000
const hour = 60 * 60_000

export function startUpkeep(options: UpkeepOptions): Upkeep {
  const { catalog, log, now = Date.now } = options
  const stopping = new AbortController()
  let running = begin()
  const timer = setInterval(() => {
    running = running.then(hourly)
  }, hour)
  timer.unref()

  async function begin(): Promise<void> {
    const look = { ...options, warn: (message: string, facts: Record<string, unknown>) => log.warn(message, facts) }
    await attempt('look for what is hidden', () => lookForHidden(look))
    await attempt('look for what leaves no room', () => lookForRoom(look))
    await attempt('reconcile', () =>
      reconcile(
        { ...options, startedAt: now(), now, log: (message, facts) => log.info(message, facts) },
        stopping.signal,
      ),
    )
    await hourly()
  }

  async function hourly(): Promise<void> {
    await attempt('sweep spools', async () => {
      const { deleted } = await options.spools.sweep(partialsFor)
      options.room.count(-deleted)
    })
    await attempt('sweep uploads, and what no hosted manifest names', () => options.hosted.sweep())
    await attempt('free what was deleted', () => freeDeleted(catalog))
    if (!options.offline) await attempt('drop what no link names', () => dropUnlinked(catalog, now()))
  }

  async function attempt(what: string, work: () => Promise<unknown>): Promise<void> {
    if (stopping.signal.aborted) return
    try {
      await work()
    } catch (error) {
      log.warn(`upkeep failed: ${what}`, { error })
    }
  }

  return {
    stop() {
      clearInterval(timer)
      stopping.abort()
      return running
    },
  }
}
