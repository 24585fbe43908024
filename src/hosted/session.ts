/** An upload session as its file has it, and what all sessions work with. */
import type { Catalog } from '../catalog/catalog.ts'
import type { Room } from '../catalog/room.ts'
import type { DigestAlgorithm } from '../oci/digest.ts'
import { parseName, type RepositoryName } from '../oci/name.ts'
import type { SessionFiles } from '../store/session-files.ts'
import type { Spools } from '../store/spools.ts'
import type { TakeRoom } from './room.ts'

export interface UploadsOptions {
  catalog: Catalog
  spools: Spools
  sessions: SessionFiles
  room: Room
  maxSize: number
  takeRoom: TakeRoom
  /** Frees what can be freed, where there is no room without it. */
  reclaim: () => Promise<void>
  /** Bytes that no eviction may free. */
  unevictable: () => Promise<number>
  warn: (message: string, error: unknown) => void
  now: () => number
  /** ms after which a session nobody goes on with is over. */
  maxUploadAge: number
  /** ms for which what an upload has brought waits for the manifest that names it. */
  grace: number
}

export interface Session {
  id: string
  name: RepositoryName
  by: string
  algorithm: DigestAlgorithm
  startedAt: number
}

/** `undefined` where it was written by a version that had others. */
export function readSession(text: string): Session | undefined {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) return undefined
  const members: Record<string, unknown> = { ...value }
  const { id, by, algorithm, startedAt } = members
  const name = typeof members.name === 'string' ? parseName(members.name) : undefined
  if (typeof id !== 'string' || !name || typeof by !== 'string' || typeof startedAt !== 'number') return undefined
  if (algorithm !== 'sha256' && algorithm !== 'sha512') return undefined
  return { id, name, by, algorithm, startedAt }
}
