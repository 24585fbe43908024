/**
 * Blobs that no manifest of their repository names any more, or never did: their links go once nobody can be about to name them, and
 * with the last link the bytes.
 */
import type { Catalog } from '../catalog/catalog.ts'
import { hostedOrigin, type RepositoryKey } from '../catalog/records.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/name.ts'
import type { Push } from './push.ts'
import type { Uploads } from './uploads.ts'

export interface UnreferencedOptions {
  catalog: Catalog
  push: Pick<Push, 'puts' | 'dropBlob'>
  uploads: Pick<Uploads, 'since'>
  now: () => number
  /** ms for which a client that has found or pushed a blob may still push the manifest that names it; uploads that it makes meanwhile do not count. */
  grace: number
}

/** Settles with how many links have gone. */
export async function dropUnreferenced(options: UnreferencedOptions): Promise<number> {
  let dropped = 0
  for (const name of await repositories(options.catalog)) dropped += await dropIn(name, options)
  return dropped
}

async function dropIn(name: RepositoryName, options: UnreferencedOptions): Promise<number> {
  const { catalog, push, uploads, now, grace } = options
  const repository = { origin: hostedOrigin, name }
  /** A time that lies as far ahead is from a clock that was wrong. */
  const isLongAgo = (at: number) => uploads.since(name) - at > grace || at - now() > grace
  let puts = push.puts(name)
  let unnamed = await unnamedIn(catalog, repository)
  let dropped = 0
  for await (const link of catalog.linksIn(repository, 'blob')) {
    const { digest, at } = link
    const isForgotten = async () => isLongAgo(at) && isLongAgo(await catalog.uses.last(digest))
    if (!unnamed?.has(digest) || !(await isForgotten())) continue
    const isUnused = async () => {
      if (push.puts(name) !== puts) unnamed = await unnamedIn(catalog, repository)
      puts = push.puts(name)
      return unnamed?.has(digest) === true && (await isForgotten())
    }
    if (await push.dropBlob(link, isUnused)) dropped += 1
  }
  return dropped
}

/**
 * Blobs of the repository that none of its manifests names: what these name besides, which may be anything, takes no memory.
 * `undefined` where it cannot be told: a manifest has lost its bytes, or a record is corrupt, which then reads as absent.
 */
async function unnamedIn(catalog: Catalog, repository: RepositoryKey): Promise<Set<Digest> | undefined> {
  const unnamed = new Set<Digest>()
  for await (const { digest } of catalog.linksIn(repository, 'blob')) unnamed.add(digest)
  for await (const { digest } of catalog.linksIn(repository, 'manifest')) {
    const named = await namedBy(catalog, repository, digest)
    if (!named) return undefined
    for (const one of named) unnamed.delete(one)
  }
  return catalog.isDoubtful() ? undefined : unnamed
}

/** Of a manifest of a type that is not ours to read, every digest that stands in it. */
async function namedBy(
  catalog: Catalog,
  repository: RepositoryKey,
  digest: Digest,
): Promise<Iterable<Digest> | undefined> {
  const edges = await catalog.edges(digest)
  if (edges) return edges.children.values().map((child) => child.digest)
  const kept = await catalog.manifest(repository, digest)
  if (!kept) return undefined
  return digestsIn(kept.bytes)
}

function* digestsIn(bytes: Uint8Array): Generator<Digest> {
  const text = Buffer.from(bytes).toString('latin1')
  for (const [found] of text.matchAll(/sha(?:256|512):[0-9a-f]{64,128}/g)) {
    const digest = parseDigest(found)
    if (digest) yield digest
  }
}

async function repositories(catalog: Catalog): Promise<RepositoryName[]> {
  const names = new Set<RepositoryName>()
  for await (const { repository } of catalog.linksOf(hostedOrigin)) names.add(repository.name)
  return [...names]
}
