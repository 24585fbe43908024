/** What a download shows of itself, and what it needs: one upstream blob transfer in flight, one spool file, many readers. */
import type { Reservation, Room } from '../catalog/room.ts'
import type { Link } from '../catalog/records.ts'
import type { ByteSource } from '../oci/byte-source.ts'
import type { Digest } from '../oci/digest.ts'
import type { Spools } from '../store/spools.ts'
import type { Transfer } from '../upstream/upstream.ts'

export interface Download {
  /** `undefined` until the end where the upstream does not say. */
  readonly size: number | undefined
  /**
   * One more reader, from byte 0 on. `closedEnd`: exclusive end of a closed range. `undefined` = too late: it has ended, or every
   * client had left and what remained was not worth fetching; ask again when it has settled.
   */
  open(closedEnd?: number): ByteSource | undefined
  /** A further repository that the bytes are proved for. False where nothing will be kept for it to read. */
  prove(link: Link): boolean
  /** Ends the transfer, unless all has arrived; the partial stays. Settles as `settled` does. */
  stop(): Promise<void>
  /** Settles when the download is no more: committed, failed, abandoned or without room. Never rejects. */
  readonly settled: Promise<void>
}

export interface DownloadOptions {
  upstream: string
  digest: Digest
  /** What a partial is found again by. */
  key: string
  spools: Spools
  room: Room
  link: Link
  /** The blob's bytes from an offset. `within`: ms until the headers are in, where a client still waits for them. */
  fetch: (from: number, within?: number) => Promise<Transfer | undefined>
  /** ms that are left for the headers of the first transfer. */
  timeLeft: () => number
  /** Keeps the bytes with their links; the reservation becomes what they take. */
  commit: (spool: { spool: string; size: number }, links: Link[], reservation: Reservation) => Promise<void>
  /** A link that was proved while the commit was under way. */
  addLink: (link: Link) => Promise<unknown>
  warn: (message: string, error: unknown) => void
}
