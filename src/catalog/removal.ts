/** How content goes: bytes that no link names, links that a client takes away, and what turned out to be damaged. */
import { failpoint } from '../observe/failpoint.ts'
import type { Digest } from '../oci/digest.ts'
import type { Tag } from '../oci/name.ts'
import { type Change, changeOperations, type Linked } from './changes.ts'
import type { Commits } from './commits.ts'
import { isIrreplaceable, isLinked, unlinkOperations } from './links.ts'
import type { Lock } from './lock.ts'
import type { Places } from './places.ts'
import type { RecordStore } from './record-store.ts'
import { type BlobRecord, cannotBeFetched, encode, keys, type Link, type RepositoryKey } from './records.ts'
import { unreferringOperations } from './referring.ts'
import { byDigest } from './scans.ts'
import type { Uses } from './uses.ts'

export interface Removal {
  /** Drops record, links and bytes; an open reader keeps its own. Settles with the bytes freed: 0 for what cannot be fetched again. */
  forget(digest: Digest): Promise<number>
  /**
   * Forgets bytes that turned out to be damaged, unless others have taken their place since `record` was read. What cannot be fetched
   * again keeps its links, and its bytes are set aside: pushed once more it is whole again.
   */
  forgetDamaged(digest: Digest, record: BlobRecord): Promise<void>
  /** Forgets what no link names. @throws where that cannot be told, since a record is corrupt */
  forgetUnlinked(digest: Digest): Promise<void>
  /** What a client has taken the last link of, and whose bytes are there still. */
  toFree(): AsyncIterable<Digest>
  /**
   * Takes a link away, and the tags that are given with it; the bytes stay. False where there is none.
   * @param madeAt only the link that was made then
   */
  unlink(linked: Linked, options?: { tags?: readonly Tag[]; madeAt?: number }): Promise<boolean>
  /** Drops what is gone or damaged; called with the digest's lock held. */
  lose(digest: Digest, record: BlobRecord): Promise<void>
}

export interface RemovalOptions {
  records: RecordStore
  commits: Commits
  places: Places
  uses: Uses
  locked: Lock
  count: (bytes: number) => void
  /** Told of links that have changed. */
  changed: (repository: RepositoryKey, digest: Digest) => void
}

export function createRemoval(options: RemovalOptions): Removal {
  const { records, commits, places, uses, locked, count, changed } = options
  const blob = (digest: Digest) => records.read<BlobRecord>(keys.blob(digest))

  // The record first, the file after it: a crash in between leaves a file without a record, which the next start sweeps.
  async function drop(digest: Digest, record: BlobRecord): Promise<void> {
    const { operations, repositories } = await unlinkOperations(records, digest)
    for (const key of [keys.blob, keys.inline, keys.edges, keys.used, keys.toFree])
      operations.push({ delete: key(digest) })
    uses.forget(digest)
    try {
      await records.write(operations)
    } finally {
      for (const repository of repositories) changed(repository, digest)
    }
    failpoint('content.dropped')
    await places.remove(digest, record.place)
    count(-record.size)
  }

  async function lose(digest: Digest, record: BlobRecord): Promise<void> {
    if (!(await isIrreplaceable(records, digest))) return drop(digest, record)
    const { repositories } = await unlinkOperations(records, digest)
    try {
      await records.write([{ delete: keys.blob(digest) }, { delete: keys.inline(digest) }])
    } finally {
      for (const repository of repositories) changed(repository, digest)
    }
    await places.setAside(digest, record.place)
    count(-record.size)
  }

  async function unlinkNow({ repository, kind, digest }: Linked, tags: readonly Tag[], link: Link): Promise<void> {
    const changes: Change[] = [
      ...tags.map((tag): Change => ({ untag: tag, repository })),
      { unlink: { repository, kind, digest } },
    ]
    const operations = changes.flatMap(changeOperations)
    if (kind === 'manifest') operations.push(...(await unreferringOperations(records, repository, digest)))
    if (await isLast(link)) operations.push({ put: keys.toFree(digest), value: encode({}) })
    try {
      await commits.write(operations, cannotBeFetched(link) ? changes : [])
    } finally {
      changed(repository, digest)
    }
    failpoint('content.unlinked')
  }

  async function isLast({ repository, kind, digest }: Link): Promise<boolean> {
    const own = keys.linkOf(digest, repository, kind)
    for await (const [key] of records.scan(keys.linksOf(digest))) if (key !== own) return false
    return true
  }

  /** Called with the digest's lock held, without which a link could come between the question and the end. */
  async function dropUnlinked(digest: Digest): Promise<void> {
    if (await isLinked(records, digest)) return clearToFree(digest)
    // A link that is corrupt reads as absent.
    if (commits.isDoubtful()) throw new Error(`Whether ${digest} is linked cannot be told: a record is corrupt.`)
    const record = await blob(digest)
    if (record) await drop(digest, record)
    else await clearToFree(digest)
  }

  async function clearToFree(digest: Digest): Promise<void> {
    const key = keys.toFree(digest)
    if (await records.bytes(key)) await records.write([{ delete: key }])
  }

  return {
    lose,
    forget: (digest) =>
      locked(digest, async () => {
        const record = await blob(digest)
        // It may have been pushed since somebody decided that it may go.
        if (!record || (await isIrreplaceable(records, digest))) return 0
        await drop(digest, record)
        return record.size
      }),
    forgetDamaged: (digest, record) =>
      locked(digest, async () => {
        const still = await blob(digest)
        if (still && still.keptAt === record.keptAt) await lose(digest, still)
      }),
    forgetUnlinked: (digest) => locked(digest, () => dropUnlinked(digest)),
    async *toFree() {
      for await (const [digest] of byDigest(records.scan(keys.allToFree()))) yield digest
    },
    unlink: (linked, { tags = [], madeAt } = {}) =>
      locked(linked.digest, async () => {
        const link = await records.read<Link>(keys.link(linked.repository, linked.kind, linked.digest))
        if (!link || (madeAt !== undefined && link.at !== madeAt)) return false
        await unlinkNow(linked, tags, link)
        return true
      }),
  }
}
