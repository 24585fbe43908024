/** The downloads in flight of one upstream: one a repository and digest, joined by others of the same upstream and credential. */
import type { Catalog } from '../catalog/catalog.ts'
import type { RepositoryKey } from '../catalog/records.ts'
import type { Room } from '../catalog/room.ts'
import type { ByteSource } from '../oci/byte-source.ts'
import type { Digest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { type ByteRange, spanOf } from '../oci/range.ts'
import type { Spools } from '../store/spools.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Download } from './download.ts'
import { fetchedLink, type KeptBlobs } from './kept-blobs.ts'
import { startDownload } from './start-download.ts'

export interface DownloadsOptions {
  catalog: Catalog
  upstream: Upstream
  spools: Spools
  room: Room
  kept: KeptBlobs
  warn: (message: string, error: unknown) => void
  now: () => number
}

interface OpenDownload {
  bytes: ByteSource
  size: number | undefined
  cache: 'joined' | 'miss'
}

export interface Downloads {
  /**
   * Joins the download in flight, or starts one; settles when upstream's headers are in. `undefined` = the upstream has no such
   * blob; `ended` = one was joined too late: look again at what is kept.
   * @param by when the headers must be in, in ms of `performance.now()`
   */
  open(
    repository: RepositoryKey,
    digest: Digest,
    range: ByteRange | undefined,
    by: number,
  ): Promise<OpenDownload | 'ended' | undefined>
  isInFlight(repository: RepositoryKey, digest: Digest): boolean
  /** The size of a blob in flight, where it is known by now. */
  sizeOf(repository: RepositoryKey, digest: Digest): number | undefined
  /** How many have ended so far. */
  ended(): number
  /** Ends all of them; their partials stay. */
  close(): Promise<void>
}

interface InFlight {
  repository: RepositoryKey
  digest: Digest
  by: number
  /** Empty until it is known. */
  credential: string
  started: Promise<Download | undefined>
  download?: Download
}

export function createDownloads(options: DownloadsOptions): Downloads {
  const { catalog, upstream, kept, now } = options
  const inFlight = new Map<string, InFlight>()
  const closing = new AbortController()
  let ended = 0

  function start(key: string, asked: Pick<InFlight, 'repository' | 'digest' | 'by'>): Promise<Download | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Download | undefined>()
    const entry: InFlight = { ...asked, credential: '', started: promise }
    inFlight.set(key, entry)
    void run().finally(() => {
      ended += 1
      inFlight.delete(key)
    })
    return promise

    async function run(): Promise<void> {
      try {
        entry.download = await begin(entry, key)
        resolve(entry.download)
        await entry.download?.settled
      } catch (error) {
        reject(error)
      }
    }
  }

  async function begin(entry: InFlight, key: string): Promise<Download | undefined> {
    const { repository, digest } = entry
    const credential = await upstream.credentialIdentity(repository.name)
    entry.credential = credential
    const link = fetchedLink(repository, digest, credential, now())
    const other = await joinOther(entry)
    if (other?.prove(link)) return other
    return startDownload({
      ...options,
      upstream: upstream.name,
      digest,
      key: `${key} ${credential}`,
      link,
      timeLeft: () => timeLeft(entry),
      fetch: (from, within) => upstream.getBlob(repository.name, digest, { from, within, signal: closing.signal }),
      commit: ({ spool, size }, links, reservation) =>
        catalog.keep({ digest, bytes: { spool, size }, links, reservation }),
      addLink: (further) => catalog.addLink(further),
    })
  }

  /** A download of the same bytes for another repository of this upstream and credential, once our own repository has proved them. */
  async function joinOther(entry: InFlight): Promise<Download | undefined> {
    const download = await earlierThan(entry)?.started.catch(() => undefined)
    if (!download) return undefined
    const isProved = await kept.headProves(entry.repository, entry.digest, download.size, timeLeft(entry))
    return isProved ? download : undefined
  }

  /** Only those that began earlier, or two could wait for each other. */
  function earlierThan(entry: InFlight): InFlight | undefined {
    for (const other of inFlight.values()) {
      if (other === entry) return undefined
      if (other.digest === entry.digest && other.credential === entry.credential) return other
    }
    return undefined
  }

  return {
    async open(repository, digest, range, by) {
      const key = keyOf(repository, digest)
      const running = inFlight.get(key)
      const download = await (running?.started ?? start(key, { repository, digest, by }))
      if (!download) return undefined
      const bytes = download.open(closedEndOf(range, download.size))
      if (bytes) return { bytes, size: download.size, cache: running ? 'joined' : 'miss' }
      await download.settled
      return 'ended'
    },
    isInFlight: (repository, digest) => inFlight.has(keyOf(repository, digest)),
    sizeOf: (repository, digest) => inFlight.get(keyOf(repository, digest))?.download?.size,
    ended: () => ended,
    async close() {
      const begun = [...inFlight.values()].map(({ started }) => started)
      closing.abort(new OciError('UNAVAILABLE', 'This daemon is ending; ask again when it has started.'))
      const downloads = await Promise.allSettled(begun)
      const running = downloads.flatMap((result) =>
        result.status === 'fulfilled' && result.value ? [result.value] : [],
      )
      await Promise.all(running.map((download) => download.stop()))
    },
  }
}

function timeLeft({ by }: InFlight): number {
  return Math.max(1, by - performance.now())
}

function keyOf(repository: RepositoryKey, digest: Digest): string {
  return `${repository.origin} ${repository.name} ${digest}`
}

/** Where a range ends before the blob does: its last byte waits for the digest. */
function closedEndOf(range: ByteRange | undefined, size: number | undefined): number | undefined {
  const span = range && size !== undefined ? spanOf(range, size) : undefined
  return span && span.end !== size ? span.end : undefined
}
