/** Blobs of one upstream: from what is kept, from a download in flight, or by a new one. */
import type { Catalog } from '../catalog/catalog.ts'
import type { RepositoryKey } from '../catalog/records.ts'
import type { Room } from '../catalog/room.ts'
import type { ByteSource } from '../oci/byte-source.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { OciError, UpstreamError } from '../oci/errors.ts'
import { type ByteRange, spanOf } from '../oci/range.ts'
import type { Freshness, OpenBlob } from '../repository/repository.ts'
import type { Spools } from '../store/spools.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { createAbsences } from './absences.ts'
import { createDownloads } from './downloads.ts'
import { blobType, createKeptBlobs } from './kept-blobs.ts'
import type { Visible } from './links.ts'

export interface BlobOptions {
  catalog: Catalog
  upstream: Upstream
  spools: Spools
  room: Room
  visible: Visible
  offline: boolean
  warn: (message: string, error: unknown) => void
  now: () => number
  /** ms until the headers of a blob are in, over all attempts. */
  callTime: number
}

export interface Blobs {
  stat(repository: RepositoryKey, digest: Digest): Promise<(Descriptor & Freshness) | undefined>
  open(repository: RepositoryKey, digest: Digest, range: ByteRange | undefined): Promise<OpenBlob | undefined>
  /** Ends the downloads in flight; their partials stay. */
  close(): Promise<void>
}

/** ms that "no such blob", said to a GET, is remembered. HEAD does not count: chained caches answer 404 to it until a GET. */
const absentFor = 10_000

export function createBlobs(options: BlobOptions): Blobs {
  const { upstream, now } = options
  const kept = createKeptBlobs(options)
  const downloads = createDownloads({ ...options, kept })
  const absences = createAbsences({ time: absentFor, now })

  async function stat(repository: RepositoryKey, digest: Digest): Promise<(Descriptor & Freshness) | undefined> {
    const record = await kept.find(repository, digest)
    if (record) return { digest, mediaType: blobType, size: record.size, cache: 'hit' }
    refuseOffline()
    const joined = downloads.sizeOf(repository, digest)
    if (joined !== undefined) return { digest, mediaType: blobType, size: joined, cache: 'joined' }
    const head = await upstream.headBlob(repository.name, digest, { within: options.callTime })
    if (!head) return undefined
    if (head.size === undefined) {
      const detail = `${upstream.name} does not say how large the blob is; ask by GET.`
      throw new UpstreamError(upstream.name, 'wrong', 'UPSTREAM_INVALID', detail)
    }
    return { digest, mediaType: blobType, size: head.size, cache: 'miss' }
  }

  async function open(
    repository: RepositoryKey,
    digest: Digest,
    range: ByteRange | undefined,
  ): Promise<OpenBlob | undefined> {
    const by = performance.now() + options.callTime
    const endedBefore = downloads.ended()
    const again = async () => (await open(repository, digest, range))?.bytes
    const found = await kept.open(repository, digest, { whole: !range, again })
    if (found) return withSpan({ ...found, cache: 'hit' }, range)
    refuseOffline()
    // A download that was committed while we looked is neither in flight any more nor seen as kept: look again.
    const hasEnded = downloads.ended() !== endedBefore && !downloads.isInFlight(repository, digest)
    return hasEnded ? open(repository, digest, range) : openDownload(repository, digest, range, by)
  }

  async function openDownload(
    repository: RepositoryKey,
    digest: Digest,
    range: ByteRange | undefined,
    by: number,
  ): Promise<OpenBlob | undefined> {
    const key = `${repository.name} ${digest}`
    if (absences.has(key)) return undefined
    const opened = await downloads.open(repository, digest, range, by)
    if (opened === 'ended') return open(repository, digest, range)
    if (!opened) absences.add(key)
    return opened && withSpan(opened, range)
  }

  function refuseOffline(): void {
    if (options.offline) throw new OciError('BLOB_UNKNOWN', 'Not kept here, and in offline mode no upstream is asked.')
  }

  return { stat, open, close: () => downloads.close() }
}

async function withSpan(
  { bytes, size, cache }: { bytes: ByteSource; size: number | undefined; cache: Freshness['cache'] },
  range: ByteRange | undefined,
): Promise<OpenBlob> {
  if (!range || size === undefined) return { bytes, cache }
  const span = spanOf(range, size)
  if (span) return { bytes, span, cache }
  await bytes.close()
  throw new OciError('RANGE_INVALID', `The range lies outside the blob, which has ${size} bytes.`)
}
