/** What the catalog keeps, record by record, and the keys they stand under. Times are ms since the epoch, sizes bytes. */
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { parseName, type RepositoryName, type Tag } from '../oci/name.ts'

/** A repository as the catalog names it: the upstream's name and the name that the upstream itself uses. */
export interface RepositoryKey {
  origin: string
  name: RepositoryName
}

/** What a link makes readable: media type and kind belong to the link, or a blob could be read as a manifest (CVE-2021-41190). */
export type Kind = 'manifest' | 'blob'

/** Why a link may exist. */
export type Proof = 'fetched' | 'pushed' | 'imported'

/** Where bytes came from: what lets a HEAD 200 of the same upstream, asked with the same credential, prove a further link. */
export interface Source {
  upstream: string
  credential: string
}

export interface Link {
  repository: RepositoryKey
  kind: Kind
  digest: Digest
  mediaType: string
  proof: Proof
  credential: string
  at: number
}

/** The origin of repositories whose truth is here. */
export const hostedOrigin = 'hosted'

/** Whether nobody but us has the content, as far as the link tells. */
export function cannotBeFetched({ proof }: { proof: Proof }): boolean {
  return proof !== 'fetched'
}

export interface BlobRecord {
  size: number
  place: 'inline' | 'file'
  /** When the bytes last matched their digest. */
  verifiedAt: number
  keptAt: number
  sources: Source[]
}

/** What a manifest reaches, for closure and eviction only: naming a child proves nothing. */
export interface EdgesRecord {
  /** `artifact`: an image manifest that no container runtime reads: a chart, a signature, files. */
  kind: 'index' | 'image' | 'artifact'
  children: Edge[]
}

export interface Edge {
  digest: Digest
  size: number
  /** False where the closure is complete without it: foreign layers, which clients fetch elsewhere, and configs of artifacts. */
  needed: boolean
  /** An index's entry for a platform that somebody runs, not an attestation's `unknown/unknown`. */
  runnable: boolean
}

export interface TagRecord {
  digest: Digest
  checkedAt: number
  changedAt: number
}

export interface TagsRecord {
  tags: Tag[]
  credential: string
  checkedAt: number
}

export interface ReferrersRecord {
  /** Absent where the upstream has no such API. */
  descriptors?: Descriptor[]
  credential: string
  checkedAt: number
}

// No part of a key can hold a space (names, tags, digests and hosts have grammars without one), so a space ends each part.
export const keys = {
  blob: (digest: Digest) => `blob ${digest}`,
  blobs: () => 'blob ',
  inline: (digest: Digest) => `inline ${digest}`,
  edges: (digest: Digest) => `edges ${digest}`,
  allEdges: () => 'edges ',
  link: (repository: RepositoryKey, kind: Kind, digest: Digest) =>
    `link ${repository.origin} ${repository.name} ${kind} ${digest}`,
  links: () => 'link ',
  linksIn: (repository: RepositoryKey, kind?: Kind) =>
    `link ${repository.origin} ${repository.name} ${kind === undefined ? '' : `${kind} `}`,
  linkOf: (digest: Digest, repository: RepositoryKey, kind: Kind) =>
    `link-of ${digest} ${repository.origin} ${repository.name} ${kind}`,
  linksOf: (digest: Digest) => `link-of ${digest} `,
  allLinksOf: () => 'link-of ',
  tag: (repository: RepositoryKey, tag: Tag) => `tag ${repository.origin} ${repository.name} ${tag}`,
  tagsOf: (repository: RepositoryKey) => `tag ${repository.origin} ${repository.name} `,
  allTags: () => 'tag ',
  list: (repository: RepositoryKey) => `tags ${repository.origin} ${repository.name}`,
  referrers: (repository: RepositoryKey, subject: Digest) =>
    `referrers ${repository.origin} ${repository.name} ${subject}`,
  /** What refers to a subject in a hosted repository. */
  referring: (repository: RepositoryKey, subject: Digest, digest: Digest) =>
    `referring ${repository.origin} ${repository.name} ${subject} ${digest}`,
  referringTo: (repository: RepositoryKey, subject: Digest) =>
    `referring ${repository.origin} ${repository.name} ${subject} `,
  allReferring: () => 'referring ',
  refersTo: (repository: RepositoryKey, digest: Digest) =>
    `refers-to ${repository.origin} ${repository.name} ${digest}`,
  allRefersTo: () => 'refers-to ',
  /** Content whose last link a client has taken away, until its bytes have gone. */
  toFree: (digest: Digest) => `to-free ${digest}`,
  allToFree: () => 'to-free ',
  used: (digest: Digest) => `used ${digest}`,
  allUsed: () => 'used ',
  pin: (repository: RepositoryKey, reference: string) => `pin ${repository.origin} ${repository.name} ${reference}`,
  pins: () => 'pin ',
  filesKnown: () => 'files-known',
  journal: () => 'journal',
  doubt: () => 'doubt',
}

/** Whether a record can be made again from the journal, as far as its key tells, which is the prefix of a scan where more is damaged. */
export function isFromJournal(key: string): boolean {
  return key.includes(` ${hostedOrigin} `) || /^(?:blob|edges) |^(?:link|tag) $|^link-of (?:\S+ )?$/.test(key)
}

/** The last part of a key: a digest, a tag or a kind. */
export function lastPart(key: string): string {
  return key.slice(key.lastIndexOf(' ') + 1)
}

/** The repository and kind that a key of `linksOf` names. */
export function linkOfParts(key: string): { repository: RepositoryKey; kind: Kind } | undefined {
  const [, , origin = '', text = '', kind = ''] = key.split(' ')
  const name = parseName(text)
  if (!name || (kind !== 'manifest' && kind !== 'blob')) return undefined
  return { repository: { origin, name }, kind }
}

export function encode(record: object | number): Uint8Array {
  return Buffer.from(JSON.stringify(record))
}

/** The store has already checked the record against its checksum, so its shape is what this version wrote. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the key that was read says which record this is
export function decode<T>(value: Uint8Array): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked, see above
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()) as T
}
