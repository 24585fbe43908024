/** A hosted repository of content at hand: what handlers see of the contract, with faults that a real one seldom shows. */
import type { RepositoryKey } from '../../src/catalog/records.ts'
import { algorithmOf, type Digest, digestOf } from '../../src/oci/digest.ts'
import { OciError } from '../../src/oci/errors.ts'
import { readManifest } from '../../src/oci/manifest.ts'
import { parseName, type Tag } from '../../src/oci/name.ts'
import type { HostedRepository, StartUpload, Upload } from '../../src/repository/hosted.ts'
import type { Freshness } from '../../src/repository/repository.ts'
import { bytesSource } from './bytes-source.ts'

export interface MemoryHosted extends HostedRepository {
  blobs: Map<Digest, Uint8Array>
  manifests: Map<Digest, { bytes: Uint8Array; mediaType: string }>
  tagged: Map<Tag, Digest>
  started: StartUpload[]
  /** Ids of sessions that are open. */
  open(): string[]
  /** Bytes that have arrived in a session. */
  arrived(id: string): number
}

const fresh: Freshness = { cache: 'hit' }

export function createMemoryHosted(key = 'hosted/team/app', mountable: ReadonlySet<string> = new Set()): MemoryHosted {
  const blobs = new Map<Digest, Uint8Array>()
  const manifests = new Map<Digest, { bytes: Uint8Array; mediaType: string }>()
  const tagged = new Map<Tag, Digest>()
  const sessions = new Map<string, { by: string; chunks: Uint8Array[] }>()
  const started: StartUpload[] = []

  function sizeOf(id: string): number {
    return (sessions.get(id)?.chunks ?? []).reduce((sum, chunk) => sum + chunk.length, 0)
  }

  function uploadOf(id: string): Upload {
    return {
      id,
      get offset() {
        return sizeOf(id)
      },
      async append(body, start, length) {
        if (start !== undefined && start !== sizeOf(id)) throw new OciError('RANGE_INVALID', 'Out of order.')
        const before = sizeOf(id)
        for await (const chunk of body) sessions.get(id)?.chunks.push(Buffer.from(chunk))
        if (length !== undefined && sizeOf(id) - before !== length)
          throw new OciError('SIZE_INVALID', 'Another length.')
      },
      async commit(digest) {
        const bytes = Buffer.concat(sessions.get(id)?.chunks ?? [])
        sessions.delete(id)
        if (digestOf(bytes, algorithmOf(digest)) !== digest) throw new OciError('DIGEST_INVALID', 'Another digest.')
        blobs.set(digest, bytes)
      },
      async cancel() {
        sessions.delete(id)
      },
    }
  }

  return {
    key,
    hosted: true,
    blobs,
    manifests,
    tagged,
    started,
    open: () => [...sessions.keys()],
    arrived: sizeOf,
    async manifest(reference) {
      const digest = 'tag' in reference ? tagged.get(reference.tag) : reference.digest
      const found = digest && manifests.get(digest)
      return digest && found && { digest, ...found, ...fresh }
    },
    async stat(digest) {
      const bytes = blobs.get(digest)
      return bytes && { digest, mediaType: 'application/octet-stream', size: bytes.length, ...fresh }
    },
    async blob(digest) {
      const bytes = blobs.get(digest)
      return bytes && { bytes: bytesSource(bytes), ...fresh }
    },
    tags: async () => ({ items: [...tagged.keys()].toSorted(), ...fresh }),
    knows: async (tag) => tagged.has(tag),
    lacks: async (tag) => !tagged.has(tag),
    kept: async () => undefined,
    firstComplete: async () => undefined,
    referrers: async () => ({ items: [], ...fresh }),
    async startUpload(options) {
      started.push(options)
      const id = `session-${started.length}`
      sessions.set(id, { by: options.by, chunks: [] })
      return uploadOf(id)
    },
    upload: async (id, by) => (sessions.get(id)?.by === by ? uploadOf(id) : undefined),
    mount: async (digest, from) => mountable.has(`${from.origin}/${from.name} ${digest}`),
    holders: async (digest) => [...mountable].filter((one) => one.endsWith(` ${digest}`)).map(holderOf),
    async putManifest(reference, bytes, mediaType, { tags = [] } = {}) {
      const digest = 'digest' in reference ? reference.digest : digestOf(bytes)
      if (digestOf(bytes, algorithmOf(digest)) !== digest) throw new OciError('DIGEST_INVALID', 'Another digest.')
      const { subject } = readManifest(bytes, mediaType)
      const all = 'tag' in reference ? [reference.tag, ...tags] : tags
      manifests.set(digest, { bytes, mediaType })
      for (const tag of all) tagged.set(tag, digest)
      return { digest, ...(subject && { subject: subject.digest }), tags: all }
    },
    deleteTag: async (tag) => tagged.delete(tag),
    deleteManifest: async (digest) => manifests.delete(digest),
    deleteBlob: async (digest) => blobs.delete(digest),
  }
}

function holderOf(mountable: string): RepositoryKey {
  const [, origin = '', text = ''] = /^([^/]+)\/([^ ]+) /.exec(mountable) ?? []
  const name = parseName(text)
  if (!name) throw new TypeError(`${mountable} names no repository`)
  return { origin, name }
}
