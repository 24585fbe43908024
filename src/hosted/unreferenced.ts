/**
 * Blobs that no manifest of their repository names any more, or never did: their links go once nobody can be about to name them, and
 * with the last link the bytes.
 */
import type { Catalog } from '../catalog/catalog.ts'
import { hostedOrigin } from '../catalog/records.ts'
import type { Digest } from '../oci/digest.ts'
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
  const named = await namedIn(catalog, name)
  let dropped = 0
  for await (const link of catalog.linksIn(repository, 'blob')) {
    const { digest, at } = link
    const isForgotten = async () => isQuiet(uploads.lastIn(name)) && isQuiet(await catalog.uses.last(digest))
    if (named.has(digest) || !isQuiet(at) || !(await isForgotten())) continue
    const isUnused = async () => !(await namedIn(catalog, name)).has(digest) && (await isForgotten())
    if (await push.dropBlob(link, isUnused)) dropped += 1
  }
  return dropped
}

async function namedIn(catalog: Catalog, name: RepositoryName): Promise<Set<Digest>> {
  const named = new Set<Digest>()
  for await (const { digest } of catalog.linksIn({ origin: hostedOrigin, name }, 'manifest')) {
    for (const child of (await catalog.edges(digest))?.children ?? []) named.add(child.digest)
  }
  return named
}

async function repositories(catalog: Catalog): Promise<RepositoryName[]> {
  const names = new Set<RepositoryName>()
  for await (const { repository } of catalog.linksOf(hostedOrigin)) names.add(repository.name)
  return [...names]
}
