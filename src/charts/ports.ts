/** What the import asks of the outside: where charts come from, and where they go. */
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName, Tag } from '../oci/name.ts'
import type { Content } from './helm-push.ts'

/** A chart or an answer that could not be had. The message is the end of a sentence, and has no secret. */
export class SourceError extends Error {
  /** `silent`: nobody answered, or only with errors of his own; `absent`: it is not there; `denied`: it may be there; `refused`: all else. */
  readonly kind: 'silent' | 'absent' | 'denied' | 'refused'
  /** Seconds until it may be tried again, where the other side said so. */
  readonly after: number | undefined
  constructor(
    kind: SourceError['kind'],
    message: string,
    { after, ...options }: ErrorOptions & { after?: number } = {},
  ) {
    super(message, options)
    this.kind = kind
    this.after = after
  }
}

/** An archive in a file of its own. */
export interface FetchedArchive extends Content {
  bytes: () => AsyncIterable<Uint8Array>
  /** Deletes the file. */
  discard(): Promise<void>
}

export interface ChartSource {
  /** @throws SourceError */
  archive(url: URL): Promise<FetchedArchive>
  /** Of the archive at `url`; `undefined` where there is none. @throws SourceError */
  provenance(url: URL): Promise<Buffer | undefined>
}

/** What a tag holds. */
export interface KeptChart {
  /** Absent where it is no chart. */
  archive?: Digest
  provenance?: Digest
}

export interface ToUpload extends Content {
  bytes: () => AsyncIterable<Uint8Array>
}

interface Upload {
  repository: RepositoryName
  tag: Tag
  blobs: ToUpload[]
  manifest: Buffer
}

/** The registry said no to this chart: a sentence. */
export class TargetError extends Error {}

export interface ChartTarget {
  /** `undefined`: there is no such tag. @throws TargetError */
  kept(repository: RepositoryName, tag: Tag): Promise<KeptChart | undefined>
  /** @throws TargetError */
  push(upload: Upload): Promise<void>
}
