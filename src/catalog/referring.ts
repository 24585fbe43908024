/** What refers to a subject: a record beside the link of each hosted manifest that has one (distribution-spec, "Listing Referrers"). */
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, hexOf } from '../oci/digest.ts'
import type { ManifestFacts } from '../oci/manifest.ts'
import type { Operation } from '../store/key-value.ts'
import type { RecordStore } from './record-store.ts'
import { decode, encode, keys, lastPart, type RepositoryKey } from './records.ts'

export interface Referring {
  subject: Digest
  /** As it stands in lists of referrers: type and annotations are the manifest's own. */
  descriptor: Descriptor
}

/** `undefined` where it refers to nothing. */
export function referringFrom(facts: ManifestFacts, { digest, size }: { digest: Digest; size: number }) {
  if (!facts.subject) return undefined
  const artifactType = facts.artifactType ?? (facts.kind === 'image' ? facts.children[0]?.mediaType : undefined)
  const descriptor: Descriptor = {
    mediaType: facts.mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(facts.annotations && { annotations: facts.annotations }),
  }
  return { subject: facts.subject.digest, descriptor }
}

export function referringOperations(repository: RepositoryKey, { subject, descriptor }: Referring): Operation[] {
  const { digest } = descriptor
  return [
    { put: keys.referring(repository, subject, digest), value: encode(descriptor) },
    { put: keys.refersTo(repository, digest), value: encode({ subject }) },
  ]
}

/** What takes away that a manifest refers to something. */
export async function unreferringOperations(
  records: RecordStore,
  repository: RepositoryKey,
  digest: Digest,
): Promise<Operation[]> {
  const refers = await records.read<{ subject: Digest }>(keys.refersTo(repository, digest))
  if (!refers) return []
  return [{ delete: keys.referring(repository, refers.subject, digest) }, { delete: keys.refersTo(repository, digest) }]
}

/** In ascending order of their digests, those above `after`. */
export async function* referringTo(
  records: RecordStore,
  repository: RepositoryKey,
  subject: Digest,
  after?: Digest,
): AsyncGenerator<Descriptor> {
  for (const part of after === undefined ? [''] : partsFrom(after)) {
    for await (const [key, value] of records.scan(`${keys.referringTo(repository, subject)}${part}`)) {
      if (after === undefined || lastPart(key) > after) yield decode<Descriptor>(value)
    }
  }
}

/**
 * The beginnings of all digests from this one on, in order, and of few before it: a store is asked for what begins alike, and each
 * record may be of 4 MiB, too much to read those of all pages before.
 */
function* partsFrom(digest: Digest): Generator<string> {
  const algorithm = algorithmOf(digest)
  const hex = hexOf(digest)
  yield `${algorithm}:${hex.slice(0, 2)}`
  for (const length of [1, 0]) {
    for (const digit of '0123456789abcdef') {
      if (digit > hex.charAt(length)) yield `${algorithm}:${hex.slice(0, length)}${digit}`
    }
  }
  if (algorithm === 'sha256') yield 'sha512:'
}
