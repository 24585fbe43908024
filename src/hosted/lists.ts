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
import type { Listing } from '../repository/repository.ts'

export interface Lists {
  tags(repository: RepositoryKey): Promise<Listing<Tag> | undefined>
  firstComplete(repository: RepositoryKey, tags: Iterable<string>): Promise<Tag | undefined>
  referrers(repository: RepositoryKey, subject: Digest): Promise<Listing<Descriptor>>
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

  /** Of the index that clients without a referrers API kept before, what is here (distribution-spec, "Referrers Tag Schema"). */
  async function fromTagSchema(repository: RepositoryKey, subject: Digest): Promise<Descriptor[]> {
    const tag = parseTag(`${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`)
    const record = tag && (await catalog.tag(repository, tag))
    // cosign copies an index under the tag of its own digest: what it names are no referrers.
    if (!record || record.digest === subject) return []
    const kept = await catalog.manifest(repository, record.digest)
    if (!kept || !isIndexType(kept.link.mediaType)) return []
    const here: Descriptor[] = []
    for (const descriptor of childrenOf(kept.bytes, kept.link.mediaType)) {
      if (await catalog.link(repository, 'manifest', descriptor.digest)) here.push(descriptor)
    }
    return here
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
    async referrers(repository, subject) {
      const known = await catalog.referringTo(repository, subject)
      const digests = new Set(known.map(({ digest }) => digest))
      const older = (await fromTagSchema(repository, subject)).filter(({ digest }) => !digests.has(digest))
      return { items: [...known, ...older], cache: 'hit' }
    },
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
