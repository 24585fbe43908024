/** Links as records: one under its repository, to read by, and one under its digest, to find all that go with the bytes. */
import type { Digest } from '../oci/digest.ts'
import type { Operation } from '../store/key-value.ts'
import type { RecordStore } from './record-store.ts'
import {
  cannotBeFetched,
  decode,
  encode,
  keys,
  type Kind,
  type Link,
  linkOfParts,
  type Proof,
  type RepositoryKey,
  type Source,
} from './records.ts'

export function linkOperations(link: Link): Operation[] {
  const ofDigest = cannotBeFetched(link) ? { proof: link.proof } : {}
  return [
    { put: keys.link(link.repository, link.kind, link.digest), value: encode(link) },
    { put: keys.linkOf(link.digest, link.repository, link.kind), value: encode(ofDigest) },
  ]
}

/** What takes away one link. */
export function unlinkOperation(link: { repository: RepositoryKey; kind: Kind; digest: Digest }): Operation[] {
  return [
    { delete: keys.link(link.repository, link.kind, link.digest) },
    { delete: keys.linkOf(link.digest, link.repository, link.kind) },
  ]
}

/** What takes away all links to the digest, and the repositories that they were of. */
export async function unlinkOperations(
  records: RecordStore,
  digest: Digest,
): Promise<{ operations: Operation[]; repositories: RepositoryKey[] }> {
  const operations: Operation[] = []
  const repositories: RepositoryKey[] = []
  for await (const [key] of records.scan(keys.linksOf(digest))) {
    const named = linkOfParts(key)
    operations.push({ delete: key })
    if (!named) continue
    repositories.push(named.repository)
    operations.push({ delete: keys.link(named.repository, named.kind, digest) })
  }
  return { operations, repositories }
}

export async function isLinked(records: RecordStore, digest: Digest): Promise<boolean> {
  for await (const _ of records.scan(keys.linksOf(digest))) return true
  return false
}

/** Whether a link names the digest whose content cannot be fetched again. */
export async function isIrreplaceable(records: RecordStore, digest: Digest): Promise<boolean> {
  for await (const [, value] of records.scan(keys.linksOf(digest))) {
    const { proof = 'fetched' } = decode<{ proof?: Proof }>(value)
    if (cannotBeFetched({ proof })) return true
  }
  return false
}

/** The repositories that have the digest as content of this kind. */
export async function holdersOf(records: RecordStore, digest: Digest, kind: Kind): Promise<RepositoryKey[]> {
  const holders: RepositoryKey[] = []
  for await (const [key] of records.scan(keys.linksOf(digest))) {
    const named = linkOfParts(key)
    if (named?.kind === kind) holders.push(named.repository)
  }
  return holders
}

/** Where the bytes came from, as far as links tell. */
export function sourcesOf(links: Link[]): Source[] {
  const fetched = links.filter((link) => link.proof === 'fetched')
  return fetched.map((link) => ({ upstream: link.repository.origin, credential: link.credential }))
}

/** Those known before first, each once. */
export function union(before: Source[], added: Source[]): Source[] {
  const all = new Map([...before, ...added].map((source) => [`${source.upstream} ${source.credential}`, source]))
  return [...all.values()]
}
