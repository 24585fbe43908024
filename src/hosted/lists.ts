/** What a hosted repository lists: its tags, and what refers to a digest. */
import { LRUCache } from 'lru-cache'
import type { Catalog } from '../catalog/catalog.ts'
import { isTagComplete } from '../catalog/closure.ts'
import type { RepositoryKey } from '../catalog/records.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, hexOf } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { readManifest } from '../oci/manifest.ts'
import { isIndexType } from '../oci/media-types.ts'
import { parseTag, type Tag } from '../oci/name.ts'
import { inOrder } from '../repository/referrers.ts'
import type { Listing } from '../repository/repository.ts'

export interface Lists {
  tags(repository: RepositoryKey): Promise<Listing<Tag> | undefined>
  firstComplete(repository: RepositoryKey, tags: Iterable<string>): Promise<Tag | undefined>
  /** In ascending order of their digests, each once, those above `after`; read as far as somebody goes through them. */
  referrers(repository: RepositoryKey, subject: Digest, after?: Digest): AsyncIterable<Descriptor>
  /** Tags have come or gone. */
  changed(repository: RepositoryKey): void
}

/** Tags in all lists that are remembered: a list that stays the same one keeps what ranges have made of it. */
const mostRemembered = 500_000

export function createLists(catalog: Catalog): Lists {
  const remembered = new LRUCache<string, readonly Tag[]>({
    maxSize: mostRemembered,
    sizeCalculation: (tags) => tags.length + 1,
  })
  let changes = 0

  async function tagsOf(repository: RepositoryKey): Promise<readonly Tag[]> {
    const known = remembered.get(repository.name)
    if (known) return known
    const before = changes
    const tags = [...(await catalog.tagRecords(repository)).keys()]
    if (changes === before) remembered.set(repository.name, tags)
    return tags
  }

  /** What stands in the index that clients without a referrers API kept before (distribution-spec, "Referrers Tag Schema"). */
  async function fromTagSchema(repository: RepositoryKey, subject: Digest): Promise<Descriptor[]> {
    const tag = parseTag(`${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`)
    const record = tag && (await catalog.tag(repository, tag))
    // cosign copies an index under the tag of its own digest: what it names are no referrers.
    if (!record || record.digest === subject) return []
    const kept = await catalog.manifest(repository, record.digest)
    if (!kept || !isIndexType(kept.link.mediaType)) return []
    return childrenOf(kept.bytes, kept.link.mediaType)
  }

  async function* referrers(repository: RepositoryKey, subject: Digest, after?: Digest): AsyncGenerator<Descriptor> {
    const isHere = async ({ digest }: Descriptor) => (await catalog.link(repository, 'manifest', digest)) !== undefined
    const older = inOrder(await fromTagSchema(repository, subject), after).values()
    let next = older.next()
    for await (const known of catalog.referringTo(repository, subject, after)) {
      for (; !next.done && next.value.digest < known.digest; next = older.next())
        if (await isHere(next.value)) yield next.value
      if (!next.done && next.value.digest === known.digest) next = older.next()
      yield known
    }
    for (; !next.done; next = older.next()) if (await isHere(next.value)) yield next.value
  }

  return {
    async tags(repository) {
      const items = await tagsOf(repository)
      return items.length > 0 || (await hasContent(catalog, repository)) ? { items, cache: 'hit' } : undefined
    },
    async firstComplete(repository, tags) {
      for (const text of tags) {
        const tag = parseTag(text)
        const record = tag && (await catalog.tag(repository, tag))
        if (record && (await isTagComplete(catalog, repository, tag, record.digest))) return tag
      }
      return undefined
    },
    referrers,
    changed(repository) {
      changes += 1
      remembered.delete(repository.name)
    },
  }
}

async function hasContent(catalog: Catalog, repository: RepositoryKey): Promise<boolean> {
  for await (const _ of catalog.linksIn(repository)) return true
  return false
}

function childrenOf(bytes: Uint8Array, mediaType: string): Descriptor[] {
  try {
    return readManifest(bytes, mediaType).children
  } catch (error) {
    if (error instanceof OciError) return []
    throw error
  }
}
