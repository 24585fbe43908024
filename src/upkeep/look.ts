/** What an operator should know of what is kept, said once after a start: content that cannot be reached, and content that leaves no room. */
import type { Catalog } from '../catalog/catalog.ts'
import { hostedOrigin } from '../catalog/records.ts'
import type { Room } from '../catalog/room.ts'
import { unevictable } from './eviction.ts'

export interface LookOptions {
  catalog: Catalog
  room: Pick<Room, 'used'>
  maxSize: number
  /** Whether a hosted name is still one. */
  isCovered: (name: string) => boolean
  warn: (message: string, facts: Record<string, unknown>) => void
}

/** Repositories that were pushed to, and that a narrower `hosted` hides: their content stays, and nobody can ask for it. */
export async function lookForHidden({ catalog, isCovered, warn }: LookOptions): Promise<void> {
  const hidden = new Set<string>()
  for await (const { repository } of catalog.linksOf(hostedOrigin)) {
    if (!isCovered(repository.name)) hidden.add(repository.name)
  }
  const [name] = hidden
  if (name === undefined) return
  const facts = { repositories: hidden.size, oneOfThem: name }
  warn(
    'hosted content is kept under names that no pattern of "hosted" covers: nobody can reach it before one does',
    facts,
  )
}

/** A walk through all that is kept, made only where it may find something. */
export async function lookForRoom({ catalog, room, maxSize, warn }: LookOptions): Promise<void> {
  if (room.used() <= maxSize) return
  const bytes = await unevictable(catalog)
  if (bytes <= maxSize) return
  warn(
    'what cannot be evicted is more than maxSize: nothing can be pushed or kept before maxSize is raised, or something is deleted',
    {
      bytes,
      maxSize,
    },
  )
}
