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
  push: Push
  uploads: Uploads
  now: () => number
  /**
   * ms for which a client that has found or pushed a blob may still push the manifest that names it; a repository with an open
   * upload session is left alone altogether.
   */
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
  const isQuiet = (since: number) => Math.abs(now() - since) > grace
  if (!isQuiet(uploads.lastIn(name))) return 0
  let puts = push.puts(name)
  let named = await namedIn(catalog, repository)
  let dropped = 0
  for await (const link of catalog.linksIn(repository, 'blob')) {
    const { digest, at } = link
    const isForgotten = async () => isQuiet(uploads.lastIn(name)) && isQuiet(await catalog.uses.last(digest))
    if (!named || named.has(digest) || !isQuiet(at) || !(await isForgotten())) continue
    const isUnused = async () => {
      if (push.puts(name) !== puts) named = await namedIn(catalog, repository)
      puts = push.puts(name)
      return named !== undefined && !named.has(digest) && (await isForgotten())
    }
    if (await push.dropBlob(link, isUnused)) dropped += 1
  }
  return dropped
}

/** `undefined` where it cannot be told: a manifest has lost its bytes, or a record is corrupt, which then reads as absent. */
async function namedIn(catalog: Catalog, repository: RepositoryKey): Promise<Set<Digest> | undefined> {
  const named = new Set<Digest>()
  for await (const { digest } of catalog.linksIn(repository, 'manifest')) {
    const reached = await reachedBy(catalog, repository, digest)
    if (!reached) return undefined
    for (const one of reached) named.add(one)
  }
  return catalog.isDoubtful() ? undefined : named
}

/** Of a manifest of a type that is not ours to read, every digest that stands in it. */
async function reachedBy(catalog: Catalog, repository: RepositoryKey, digest: Digest): Promise<Digest[] | undefined> {
  const edges = await catalog.edges(digest)
  if (edges) return edges.children.map((child) => child.digest)
  const kept = await catalog.manifest(repository, digest)
  if (!kept) return undefined
  const texts = Buffer.from(kept.bytes)
    .toString('latin1')
    .matchAll(/sha(?:256|512):[0-9a-f]{64,128}/g)
  return [...texts].flatMap(([text]) => parseDigest(text) ?? [])
}

async function repositories(catalog: Catalog): Promise<RepositoryName[]> {
  const names = new Set<RepositoryName>()
  for await (const { repository } of catalog.linksOf(hostedOrigin)) names.add(repository.name)
  return [...names]
}
