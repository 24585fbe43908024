/** What an immutable tag reaches stays with it: one whose layers could be deleted, or whose manifest could become another type, would not be immutable. */
import type { Catalog } from '../catalog/catalog.ts'
import type { RepositoryKey } from '../catalog/records.ts'
import type { Digest } from '../oci/digest.ts'
import type { Tag } from '../oci/name.ts'
import type { Immutable } from './immutable.ts'

/** An immutable tag of the repository that reaches the digest, or is it; `undefined` where none does. */
export type ImmutableTagOf = (repository: RepositoryKey, digest: Digest) => Promise<Tag | undefined>

export function createImmutableTagOf(
  catalog: Pick<Catalog, 'tagRecords' | 'edges'>,
  isImmutable: Immutable,
): ImmutableTagOf {
  return async (repository, digest) => {
    const seen = new Set<Digest>()
    for (const [tag, record] of await catalog.tagRecords(repository)) {
      if (!isImmutable(repository.name, tag)) continue
      const waiting = [record.digest]
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
        if (one === digest) return tag
        if (seen.has(one)) continue
        seen.add(one)
        for (const child of (await catalog.edges(one))?.children ?? []) waiting.push(child.digest)
      }
    }
    return undefined
  }
}
