/** Changes of what cannot be fetched again, as the journal keeps them, and what they are as records. */
import type { Digest } from '../oci/digest.ts'
import type { Tag } from '../oci/name.ts'
import type { Operation } from '../store/key-value.ts'
import { linkOperations, unlinkOperation } from './links.ts'
import { encode, keys, type Kind, type Link, type RepositoryKey, type TagRecord } from './records.ts'

/** What a link is told apart by. */
export interface Linked {
  repository: RepositoryKey
  kind: Kind
  digest: Digest
}

export type Change =
  /** `size` in bytes, of the file that holds the content. */
  | { link: Link; size: number }
  | { unlink: Linked }
  | { tag: Tag; repository: RepositoryKey; record: TagRecord }
  | { untag: Tag; repository: RepositoryKey }

/** What it is to keep content: links to it, and tags that mean it in every repository that it is linked to. */
export function changesOfKeeping(kept: {
  links: readonly Link[]
  size: number
  tags?: readonly { tag: Tag; record: TagRecord }[] | undefined
}): Change[] {
  const { links, size, tags = [] } = kept
  return links.flatMap((link): Change[] => [
    { link, size },
    ...tags.map((tag): Change => ({ ...tag, repository: link.repository })),
  ])
}

export function changeOperations(change: Change): Operation[] {
  if ('link' in change) return linkOperations(change.link)
  if ('unlink' in change) return unlinkOperation(change.unlink)
  if ('tag' in change) return [{ put: keys.tag(change.repository, change.tag), value: encode(change.record) }]
  return [{ delete: keys.tag(change.repository, change.untag) }]
}

/** One for all changes of the same thing: the last decides. */
export function subjectOf(change: Change): string {
  if ('link' in change) return keys.link(change.link.repository, change.link.kind, change.link.digest)
  if ('unlink' in change) return keys.link(change.unlink.repository, change.unlink.kind, change.unlink.digest)
  return keys.tag(change.repository, 'tag' in change ? change.tag : change.untag)
}

export function entryOf(changes: readonly Change[]): string {
  return JSON.stringify(changes)
}

/** The journal has checked the line, so its shape is what this version wrote. */
export function changesOf(entry: string): Change[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked, see above
  return JSON.parse(entry) as Change[]
}
