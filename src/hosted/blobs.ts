/** Blobs of hosted repositories: what their links make readable. */
import type { Catalog } from '../catalog/catalog.ts'
import { createCheckedBlobs } from '../catalog/checked-blobs.ts'
import type { BlobRecord, Link, RepositoryKey } from '../catalog/records.ts'
import type { ByteSource } from '../oci/byte-source.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { octetStream } from '../oci/media-types.ts'
import { type ByteRange, spanOf } from '../oci/range.ts'
import type { Freshness, OpenBlob } from '../repository/repository.ts'

export interface BlobOptions {
  catalog: Catalog
  /** Whether a link is one that everybody may read by who may read its repository. */
  isVisible: (link: Link) => boolean
  warn: (message: string, error: unknown) => void
  now: () => number
}

export interface Blobs {
  /** What the repository has; to look is to use, so that what a push has found stays until its manifest is there. */
  find(repository: RepositoryKey, digest: Digest): Promise<BlobRecord | undefined>
  stat(repository: RepositoryKey, digest: Digest): Promise<(Descriptor & Freshness) | undefined>
  open(repository: RepositoryKey, digest: Digest, range: ByteRange | undefined): Promise<OpenBlob | undefined>
  mount(repository: RepositoryKey, digest: Digest, from: RepositoryKey): Promise<boolean>
  holders(digest: Digest): Promise<RepositoryKey[]>
}

export function createBlobs(options: BlobOptions): Blobs {
  const { catalog, isVisible, warn, now } = options
  const checked = createCheckedBlobs(options)

  async function find(repository: RepositoryKey, digest: Digest): Promise<BlobRecord | undefined> {
    const link = await catalog.link(repository, 'blob', digest)
    const record = link && (await catalog.blob(digest))
    if (record) catalog.uses.touch(digest)
    return record
  }

  return {
    find,
    async stat(repository, digest) {
      const record = await find(repository, digest)
      return record && { digest, mediaType: octetStream, size: record.size, cache: 'hit' }
    },
    async open(repository, digest, range) {
      if (!(await catalog.link(repository, 'blob', digest))) return undefined
      const opened = await checked.open(digest, range === undefined)
      if (!opened) return undefined
      const bytes = setAsideWhereDamaged(opened.bytes, async (error) => {
        warn(`the kept bytes of ${digest} cannot be read, or have changed; they are set aside: push them again`, error)
        await catalog.forgetDamaged(digest, opened.record)
      })
      const span = range && spanOf(range, opened.size)
      if (!range) return { bytes, cache: 'hit' }
      if (span) return { bytes, span, cache: 'hit' }
      await bytes.close()
      throw new OciError('RANGE_INVALID', `The range lies outside the blob, which has ${opened.size} bytes.`)
    },
    holders: (digest) => catalog.holders(digest, 'blob'),
    async mount(repository, digest, from) {
      const link = await catalog.link(from, 'blob', digest)
      if (!link || !isVisible(link)) return false
      return catalog.addLink(pushedBlob(repository, digest, now()))
    },
  }
}

export function pushedBlob(repository: RepositoryKey, digest: Digest, at: number): Link {
  return { repository, kind: 'blob', digest, mediaType: octetStream, proof: 'pushed', credential: '', at }
}

/** Nobody has the bytes but us, and a reader that was given some of them is broken off. */
function setAsideWhereDamaged(source: ByteSource, setAside: (error: unknown) => Promise<void>): ByteSource {
  let isOver = false
  return {
    size: source.size,
    async read(position, buffer) {
      try {
        return await source.read(position, buffer)
      } catch (error) {
        if (!isOver) {
          isOver = true
          await setAside(error)
        }
        throw error
      }
    },
    async close() {
      isOver = true
      await source.close()
    },
  }
}
