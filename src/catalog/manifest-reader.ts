/** Manifests as a repository's link makes them readable, those read lately in memory: most answers are about few of them. */
import { LRUCache } from 'lru-cache'
import { type ByteSource, readAll } from '../oci/byte-source.ts'
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts'
import type { RecordStore } from './record-store.ts'
import { keys, type Link, type RepositoryKey } from './records.ts'
import type { Uses } from './uses.ts'

export interface KeptManifest {
  digest: Digest
  bytes: Uint8Array
  link: Link
}

export interface ManifestReader {
  read(repository: RepositoryKey, digest: Digest): Promise<KeptManifest | undefined>
  /** The link has come, changed or gone: memory knows it no more. */
  changed(repository: RepositoryKey, digest: Digest): void
}

export interface ManifestReaderOptions {
  records: RecordStore
  uses: Uses
  open: (digest: Digest) => Promise<ByteSource | undefined>
  /** Told of bytes that cannot be read, or do not match their digest. */
  onDamage: (digest: Digest, error: unknown) => Promise<void>
  /** Bytes of manifests in memory; default 32 MiB. */
  memory?: number
}

export function createManifestReader(options: ManifestReaderOptions): ManifestReader {
  const { records, uses, memory: maxSize = 32 * 1024 * 1024 } = options
  const memory = new LRUCache<string, KeptManifest>({
    maxSize,
    sizeCalculation: (kept) => kept.bytes.length + 512,
  })
  let changes = 0

  async function bytesOf(digest: Digest): Promise<Uint8Array | undefined> {
    const source = await options.open(digest)
    if (!source) return undefined
    try {
      const bytes = await readAll(source)
      if (digestOf(bytes, algorithmOf(digest)) === digest) return bytes
      throw new Error('The bytes do not match their digest.')
    } catch (error) {
      await options.onDamage(digest, error)
      return undefined
    }
  }

  return {
    async read(repository, digest) {
      const key = keyOf(repository, digest)
      const remembered = memory.get(key)
      if (remembered) {
        uses.touch(digest)
        return remembered
      }
      const before = changes
      const link = await records.read<Link>(keys.link(repository, 'manifest', digest))
      const bytes = link && (await bytesOf(digest))
      if (!link || !bytes) return undefined
      const kept = { digest, bytes, link }
      // What has been overtaken by a change may be of what is no longer kept.
      if (changes === before) memory.set(key, kept)
      uses.touch(digest)
      return kept
    },
    changed(repository, digest) {
      changes += 1
      memory.delete(keyOf(repository, digest))
    },
  }
}

function keyOf(repository: RepositoryKey, digest: Digest): string {
  return `${repository.origin} ${repository.name} ${digest}`
}
