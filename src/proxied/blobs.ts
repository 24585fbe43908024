/** Blobs of one upstream: from what is kept, from a download in flight, or by a new one. */
import type { Catalog } from '../catalog/catalog.ts'
import type { Link, RepositoryKey } from '../catalog/records.ts'
import type { Room } from '../catalog/room.ts'
import { createVerifyingSource } from '../catalog/verifying-source.ts'
import type { ByteSource } from '../oci/byte-source.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { OciError, UpstreamError } from '../oci/errors.ts'
import { type ByteRange, spanOf } from '../oci/range.ts'
import type { Freshness, OpenBlob } from '../repository/repository.ts'
import type { Spools } from '../store/spools.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { type Download, startDownload } from './download.ts'
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
}

export interface Blobs {
  stat(repository: RepositoryKey, digest: Digest): Promise<(Descriptor & Freshness) | undefined>
  open(repository: RepositoryKey, digest: Digest, range: ByteRange | undefined): Promise<OpenBlob | undefined>
  /** Ends the downloads in flight; their partials stay. */
  close(): Promise<void>
}

const blobType = 'application/octet-stream'
/** ms after which kept bytes are hashed again when they are served whole. */
const verifiedFor = 24 * 60 * 60_000
/** ms that "no such blob", said to a GET, is remembered. HEAD does not count: chained caches answer 404 to it until a GET. */
const absentFor = 10_000
const mostAbsences = 10_000

/** A download under way, and what it needs to be joined by another repository of the same upstream and credential. */
interface InFlight {
  repository: RepositoryKey
  digest: Digest
  credential: string
  started: Promise<Download | undefined>
}

export function createBlobs(options: BlobOptions): Blobs {
  const { catalog, upstream, visible, now } = options
  const inFlight = new Map<string, InFlight>()
  const absent = new Map<string, number>()
  let ended = 0

  async function stat(repository: RepositoryKey, digest: Digest): Promise<(Descriptor & Freshness) | undefined> {
    const link = await visibleLink(repository, digest)
    const record = link && (await catalog.blob(digest))
    if (record) return { digest, mediaType: blobType, size: record.size, cache: 'hit' }
    refuseOffline()
    const joined = await inFlight.get(keyOf(repository, digest))?.started.catch(() => undefined)
    if (joined?.size !== undefined) return { digest, mediaType: blobType, size: joined.size, cache: 'joined' }
    const head = await upstream.headBlob(repository.name, digest)
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
    const endedBefore = ended
    const kept = await openKept(repository, digest, range)
    if (kept) return kept
    refuseOffline()
    // A download that was committed while we looked is neither in flight any more nor seen as kept: look again.
    if (ended !== endedBefore && !inFlight.has(keyOf(repository, digest))) return open(repository, digest, range)
    return openInFlight(repository, digest, range)
  }

  async function openKept(repository: RepositoryKey, digest: Digest, range: ByteRange | undefined) {
    if (!(await visibleLink(repository, digest)) && !(await proveKept(repository, digest))) return undefined
    const record = await catalog.blob(digest)
    const source = record && (await catalog.open(digest))
    if (!record || !source) return undefined
    catalog.uses.touch(digest)
    const stale = record.place === 'file' && now() - record.verifiedAt > verifiedFor
    const bytes = stale && !range ? verifying(digest, source, record.size) : source
    return withSpan(bytes, record.size, range, 'hit')
  }

  function verifying(digest: Digest, source: ByteSource, size: number): ByteSource {
    return createVerifyingSource({
      source: { ...source, size },
      digest,
      async onResult(matches) {
        if (matches) return catalog.setVerified(digest, now())
        options.warn(`kept bytes of ${digest} have changed on disk; they are dropped`, undefined)
        await catalog.forget(digest)
      },
    })
  }

  async function visibleLink(repository: RepositoryKey, digest: Digest): Promise<Link | undefined> {
    const link = await catalog.link(repository, 'blob', digest)
    return link && visible(link) ? link : undefined
  }

  // Bytes that this upstream once gave to this credential need no second transfer: its HEAD 200 proves the link. Across upstreams
  // the bytes are fetched again, or a hostile one could claim what it never had.
  async function proveKept(repository: RepositoryKey, digest: Digest): Promise<boolean> {
    const record = options.offline ? undefined : await catalog.blob(digest)
    if (!record) return false
    const credential = await upstream.credentialIdentity(repository.name)
    const same = record.sources.some((from) => from.upstream === upstream.name && from.credential === credential)
    if (!same) return false
    const head = await upstream.headBlob(repository.name, digest).catch(() => undefined)
    return head?.size === record.size && catalog.addLink(linkOf(repository, digest, credential))
  }

  async function openInFlight(
    repository: RepositoryKey,
    digest: Digest,
    range: ByteRange | undefined,
  ): Promise<OpenBlob | undefined> {
    const key = keyOf(repository, digest)
    if ((absent.get(key) ?? 0) > now()) return undefined
    const running = inFlight.get(key)
    const download = await (running ? running.started : start(repository, digest, key))
    if (!download) return undefined
    const bytes = download.open(closedEndOf(range, download.size))
    if (bytes) return withSpan(bytes, download.size, range, running ? 'joined' : 'miss')
    await download.settled
    return open(repository, digest, range)
  }

  function start(repository: RepositoryKey, digest: Digest, key: string): Promise<Download | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Download | undefined>()
    const entry: InFlight = { repository, digest, credential: '', started: promise }
    inFlight.set(key, entry)
    const end = () => {
      ended += 1
      inFlight.delete(key)
    }
    begin(entry, key).then(
      (download) => {
        resolve(download)
        if (!download) remember(key)
        void (download?.settled ?? Promise.resolve()).then(end)
      },
      (error: unknown) => {
        reject(error)
        end()
      },
    )
    return promise
  }

  async function begin(entry: InFlight, key: string): Promise<Download | undefined> {
    const { repository, digest } = entry
    entry.credential = await upstream.credentialIdentity(repository.name)
    const link = linkOf(repository, digest, entry.credential)
    const other = await joinOther(entry, link)
    if (other) return other
    return startDownload({
      ...options,
      upstream: upstream.name,
      digest,
      key,
      link,
      fetch: (from) => upstream.getBlob(repository.name, digest, { from }),
      commit: (bytes, links) => catalog.keep({ digest, bytes, links }),
    })
  }

  /** A download of the same bytes for another repository of this upstream and credential, once our own repository has proved them. */
  async function joinOther(entry: InFlight, link: Link): Promise<Download | undefined> {
    // Only those that began earlier, or two could wait for each other.
    const earlier = [...inFlight.values()].slice(0, [...inFlight.values()].indexOf(entry))
    const other = earlier.find(({ digest, credential }) => digest === entry.digest && credential === entry.credential)
    const download = await other?.started.catch(() => undefined)
    if (!download) return undefined
    const head = await upstream.headBlob(entry.repository.name, entry.digest).catch(() => undefined)
    const same = head?.size !== undefined && head.size === download.size
    return same && download.prove(link) ? download : undefined
  }

  function linkOf(repository: RepositoryKey, digest: Digest, credential: string): Link {
    return { repository, kind: 'blob', digest, mediaType: blobType, proof: 'fetched', credential, at: now() }
  }

  function remember(key: string): void {
    absent.delete(key)
    absent.set(key, now() + absentFor)
    const [oldest] = absent.keys()
    if (absent.size > mostAbsences && oldest !== undefined) absent.delete(oldest)
  }

  function refuseOffline(): void {
    if (options.offline) throw new OciError('BLOB_UNKNOWN', 'Not kept here, and in offline mode no upstream is asked.')
  }

  async function close(): Promise<void> {
    const downloads = await Promise.allSettled([...inFlight.values()].map(({ started }) => started))
    await Promise.all(downloads.map((result) => (result.status === 'fulfilled' ? result.value?.stop() : undefined)))
  }

  return { stat, open, close }
}

function keyOf(repository: RepositoryKey, digest: Digest): string {
  return `${repository.origin} ${repository.name} ${digest}`
}

/** Where a range ends before the blob does: its last byte waits for the digest. */
function closedEndOf(range: ByteRange | undefined, size: number | undefined): number | undefined {
  const span = range && size !== undefined ? spanOf(range, size) : undefined
  return span && span.end !== size ? span.end : undefined
}

async function withSpan(
  bytes: ByteSource,
  size: number | undefined,
  range: ByteRange | undefined,
  cache: Freshness['cache'],
): Promise<OpenBlob> {
  if (!range || size === undefined) return { bytes, cache }
  const span = spanOf(range, size)
  if (span) return { bytes, span, cache }
  await bytes.close()
  throw new OciError('RANGE_INVALID', `The range lies outside the blob, which has ${size} bytes.`)
}
