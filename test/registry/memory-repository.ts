/** A repository of content at hand that counts its calls; its blobs can be made to misbehave. */
import type { ByteSource } from '../../src/oci/byte-source.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { OciError } from '../../src/oci/errors.ts'
import { type Tag, parseTag } from '../../src/oci/name.ts'
import { spanOf } from '../../src/oci/range.ts'
import { inOrder } from '../../src/repository/referrers.ts'
import type { Freshness, Repository } from '../../src/repository/repository.ts'
import { bytesSource } from './bytes-source.ts'

export interface MemoryContent {
  /** Bytes and media type by tag; by digest too. */
  manifests?: Record<string, { bytes: Uint8Array; mediaType: string }>
  blobs?: Uint8Array[]
  tags?: string[]
  /** Tags that can be served whole from what is kept. */
  complete?: string[]
  /** A function gives them one by one, in the order of their digests. */
  referrers?: Descriptor[] | ((after?: Digest) => Iterable<Descriptor>)
  freshness?: Freshness
  /** Stands between a blob's bytes and the registry. */
  wrap?: (source: ByteSource) => ByteSource
  /** Thrown by every verb. */
  failure?: Error
}

export interface MemoryRepository extends Repository {
  /** The verbs that were called, in order. */
  calls: string[]
  /** Sources that are open now. */
  open(): number
}

export function createMemoryRepository(content: MemoryContent): MemoryRepository {
  const calls: string[] = []
  const fresh = content.freshness ?? { cache: 'hit' }
  const blobs = new Map((content.blobs ?? []).map((bytes) => [digestOf(bytes), bytes]))
  let opened = 0

  function called(verb: string): void {
    calls.push(verb)
    if (content.failure) throw content.failure
  }

  return {
    calls,
    key: 'memory/repository',
    open: () => opened,
    async manifest(reference) {
      called('manifest')
      const all = Object.entries(content.manifests ?? {})
      const found = all.find(([tag, { bytes }]) =>
        'tag' in reference ? tag === reference.tag : digestOf(bytes) === reference.digest,
      )?.[1]
      return found && { ...found, digest: digestOf(found.bytes), ...fresh }
    },
    async stat(digest) {
      called('stat')
      const bytes = blobs.get(digest)
      return bytes && { digest, mediaType: 'application/octet-stream', size: bytes.length, ...fresh }
    },
    async blob(digest, range) {
      called('blob')
      const bytes = blobs.get(digest)
      if (!bytes) return undefined
      const { wrap = (source) => source } = content
      const source = wrap(bytesSource(bytes))
      const span = range && source.size !== undefined ? spanOf(range, source.size) : undefined
      if (range && source.size !== undefined && !span) throw new OciError('RANGE_INVALID', 'Outside of the blob.')
      opened += 1
      return { bytes: closingOnce(source, () => (opened -= 1)), span, ...fresh }
    },
    async tags() {
      called('tags')
      return content.tags && { items: content.tags.map(tagOf), ...fresh }
    },
    async knows() {
      called('knows')
      return undefined
    },
    async lacks() {
      called('lacks')
      return true
    },
    async kept() {
      called('kept')
      return undefined
    },
    async firstComplete(tags) {
      called('firstComplete')
      return [...tags].map(tagOf).find((tag) => content.complete?.includes(tag))
    },
    async referrers(_subject, after) {
      called('referrers')
      if (typeof content.referrers === 'function') return { items: content.referrers(after), ...fresh }
      return content.referrers && { items: inOrder(content.referrers, after), ...fresh }
    },
  }
}

export function descriptorOf(text: string, artifactType?: string): Descriptor {
  return {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestOf(Buffer.from(text)),
    size: text.length,
    ...(artifactType !== undefined && { artifactType }),
  }
}

/** A digest that no content has. */
export const absentDigest: Digest = digestOf(Buffer.from('absent'))

function closingOnce(source: ByteSource, onClose: () => void): ByteSource {
  let closed = false
  return {
    size: source.size,
    read: (position, buffer) => source.read(position, buffer),
    async close() {
      if (!closed) onClose()
      closed = true
      await source.close()
    },
  }
}

function tagOf(text: string): Tag {
  const tag = parseTag(text)
  if (!tag) throw new TypeError(`${text} is no tag`)
  return tag
}
