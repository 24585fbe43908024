/** Blobs that are kept: readable through a repository by its link, or once its own upstream has proved one. */
import type { Catalog } from '../catalog/catalog.ts'
import { createCheckedBlobs } from '../catalog/checked-blobs.ts'
import type { BlobRecord, Link, RepositoryKey } from '../catalog/records.ts'
import type { ByteSource } from '../oci/byte-source.ts'
import type { Digest } from '../oci/digest.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { createHealingSource } from './healing-source.ts'
import type { Visible } from './links.ts'

export interface KeptBlobOptions {
  catalog: Catalog
  upstream: Upstream
  visible: Visible
  offline: boolean
  warn: (message: string, error: unknown) => void
  now: () => number
  /** ms for all calls that one answer takes. */
  callTime: number
}

interface Opening {
  whole: boolean
  /** The bytes from the upstream, where those that are kept turn out to be damaged before the first is read. */
  again: () => Promise<ByteSource | undefined>
}

export interface KeptBlobs {
  /** What the repository has, as far as may be seen. */
  find(repository: RepositoryKey, digest: Digest): Promise<BlobRecord | undefined>
  open(
    repository: RepositoryKey,
    digest: Digest,
    opening: Opening,
  ): Promise<{ bytes: ByteSource; size: number } | undefined>
  /** Asks the repository's own upstream by HEAD, for `within` ms at most; false where that proves nothing, and the bytes must. */
  headProves(repository: RepositoryKey, digest: Digest, size: number | undefined, within: number): Promise<boolean>
}

export const blobType = 'application/octet-stream'

export function fetchedLink(repository: RepositoryKey, digest: Digest, credential: string, at: number): Link {
  return { repository, kind: 'blob', digest, mediaType: blobType, proof: 'fetched', credential, at }
}

export function createKeptBlobs(options: KeptBlobOptions): KeptBlobs {
  const { catalog, upstream, visible, now, warn } = options
  // A HEAD can spare a transfer; where it does not, the GET needs time too.
  const headTime = options.callTime / 4
  const checked = createCheckedBlobs(options)
  const proving = new Map<string, Promise<boolean>>()

  async function isLinked(repository: RepositoryKey, digest: Digest): Promise<boolean> {
    const link = await catalog.link(repository, 'blob', digest)
    return link !== undefined && visible(link)
  }

  async function open(repository: RepositoryKey, digest: Digest, opening: Opening) {
    if (!(await isLinked(repository, digest)) && !(await isProved(repository, digest))) return undefined
    const opened = await checked.open(digest, opening.whole)
    if (!opened || opened.record.place === 'inline') return opened
    return { ...opened, bytes: healing(digest, opened.bytes, opened.record, opening) }
  }

  function healing(digest: Digest, source: ByteSource, record: BlobRecord, { again }: Opening): ByteSource {
    return createHealingSource({
      source,
      // Offline nothing can take their place; perhaps somebody can mend the disk.
      again: options.offline ? async () => undefined : again,
      async drop(error) {
        warn(`the kept bytes of ${digest} cannot be read, or have changed`, error)
        if (!options.offline) await catalog.forgetDamaged(digest, record)
      },
    })
  }

  /** One question, however many clients wait for its answer. */
  function isProved(repository: RepositoryKey, digest: Digest): Promise<boolean> {
    const key = `${repository.origin} ${repository.name} ${digest}`
    const running = proving.get(key)
    if (running) return running
    const started = prove(repository, digest).finally(() => proving.delete(key))
    proving.set(key, started)
    return started
  }

  // Bytes that this upstream once gave to this credential need no second transfer: its HEAD 200 proves the link. Across upstreams
  // the bytes are fetched again, or a hostile one could claim what it never had.
  async function prove(repository: RepositoryKey, digest: Digest): Promise<boolean> {
    const record = options.offline ? undefined : await catalog.blob(digest)
    if (!record) return false
    const credential = await upstream.credentialIdentity(repository.name)
    const same = record.sources.some((from) => from.upstream === upstream.name && from.credential === credential)
    if (!same || !(await headProves(repository, digest, record.size, headTime))) return false
    try {
      return await catalog.addLink(fetchedLink(repository, digest, credential, now()))
    } catch (error) {
      warn(`a link to ${digest} could not be kept; it is fetched`, error)
      return false
    }
  }

  async function headProves(
    repository: RepositoryKey,
    digest: Digest,
    size: number | undefined,
    within: number,
  ): Promise<boolean> {
    try {
      const head = await upstream.headBlob(repository.name, digest, { within: Math.min(headTime, within) })
      return head?.size !== undefined && head.size === size
    } catch (error) {
      warn(`${upstream.name} did not say whether ${repository.name} has ${digest}; it is fetched`, error)
      return false
    }
  }

  return {
    open,
    headProves,
    async find(repository, digest) {
      return (await isLinked(repository, digest)) ? catalog.blob(digest) : undefined
    },
  }
}
