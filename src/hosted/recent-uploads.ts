/**
 * Which upload sessions ended a moment ago. A client looks for blobs first, uploads those that are missing, and pushes the manifest that
 * names all of them last: what it has found must stay until then, however long its uploads take.
 */
import type { RepositoryName } from '../oci/name.ts'

export interface RecentUploads {
  ended(name: RepositoryName, startedAt: number): void
  /** When the first one of those began that ended within the grace, ms since the epoch; `undefined` where none did. */
  earliest(name: RepositoryName): number | undefined
  /** Forgets those that ended before the grace. */
  forget(): void
}

interface Ended {
  startedAt: number
  endedAt: number
}

/** ms: sessions that end within it are counted as one. */
const together = 60_000

/** @param grace ms from the end of an upload to the manifest that names its blob, at most */
export function createRecentUploads({ now, grace }: { now: () => number; grace: number }): RecentUploads {
  const all = new Map<RepositoryName, Ended[]>()

  const recent = (name: RepositoryName) =>
    (all.get(name) ?? []).filter(({ endedAt }) => Math.abs(now() - endedAt) <= grace)

  return {
    ended(name, startedAt) {
      const ended = recent(name)
      const last = ended.at(-1)
      if (last && Math.abs(now() - last.endedAt) < together) {
        last.startedAt = Math.min(last.startedAt, startedAt)
        last.endedAt = now()
      } else ended.push({ startedAt, endedAt: now() })
      all.set(name, ended)
    },
    earliest(name) {
      const starts = recent(name).map(({ startedAt }) => startedAt)
      return starts.length > 0 ? Math.min(...starts) : undefined
    },
    forget() {
      for (const name of all.keys()) if (recent(name).length === 0) all.delete(name)
    },
  }
}
