/** Manifests of hosted repositories, by tag and by digest: always fresh. */
import type { Catalog } from '../catalog/catalog.ts'
import type { RepositoryKey } from '../catalog/records.ts'
import type { Digest } from '../oci/digest.ts'
import type { Reference } from '../oci/name.ts'
import type { Manifest } from '../repository/repository.ts'

export type ReadManifest = (repository: RepositoryKey, reference: Reference) => Promise<Manifest | undefined>

export function createReadManifest(catalog: Catalog): ReadManifest {
  async function digestFor(repository: RepositoryKey, reference: Reference): Promise<Digest | undefined> {
    if ('digest' in reference) return reference.digest
    return (await catalog.tag(repository, reference.tag))?.digest
  }

  return async (repository, reference) => {
    const digest = await digestFor(repository, reference)
    const kept = digest && (await catalog.manifest(repository, digest))
    return kept && { digest, mediaType: kept.link.mediaType, bytes: kept.bytes, cache: 'hit' }
  }
}
