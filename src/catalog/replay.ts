/** Entries of the journal made into records again; what they leave out stands in the files. */
import { readAll } from '../oci/byte-source.ts'
import { algorithmOf, digestOf } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { type ManifestFacts, readManifest } from '../oci/manifest.ts'
import type { BlobStore } from '../store/blob-store.ts'
import type { Operation } from '../store/key-value.ts'
import { type Change, changeOperations, type Linked } from './changes.ts'
import { edgesOf } from './closure.ts'
import type { RecordStore } from './record-store.ts'
import { type BlobRecord, encode, keys, type Link } from './records.ts'
import { referringFrom, referringOperations, unreferringOperations } from './referring.ts'

export interface ReplayOptions {
  records: RecordStore
  files: BlobStore
}

/**
 * What one batch must write.
 * @param changes of each thing the last
 */
export async function replayOperations(options: ReplayOptions, changes: Iterable<Change>): Promise<Operation[]> {
  const operations: Operation[] = []
  for (const change of changes) {
    operations.push(...changeOperations(change))
    if ('link' in change) {
      operations.push(...(await blobOperations(options, change)))
      if (change.link.kind === 'manifest') operations.push(...(await manifestOperations(options, change.link)))
    } else if ('unlink' in change) {
      operations.push(...(await endOperations(options, change.unlink)))
    }
  }
  return operations
}

/** Its bytes may be what nobody came to free: upkeep looks whether another link names them. */
async function endOperations(
  { records, files }: ReplayOptions,
  { repository, kind, digest }: Linked,
): Promise<Operation[]> {
  const source = await files.open(digest)
  await source?.close()
  return [
    ...(source ? [{ put: keys.toFree(digest), value: encode({}) }] : []),
    ...(kind === 'manifest' ? await unreferringOperations(records, repository, digest) : []),
  ]
}

/** The commit order has made the file whole before the entry; whether it still is, the first reader finds out. */
async function blobOperations(
  { records, files }: ReplayOptions,
  { link: { digest, at }, size }: { link: Link; size: number },
): Promise<Operation[]> {
  const known = await records.read<BlobRecord>(keys.blob(digest))
  if (known?.place === 'file') return []
  const source = await files.open(digest)
  await source?.close()
  if (source?.size !== size) return []
  const record: BlobRecord = { size, place: 'file', verifiedAt: 0, keptAt: at, sources: known?.sources ?? [] }
  return [{ put: keys.blob(digest), value: encode(record) }, { delete: keys.inline(digest) }]
}

/** What a manifest reaches and refers to is read from its bytes. */
async function manifestOperations({ files }: ReplayOptions, link: Link): Promise<Operation[]> {
  const { digest, repository, mediaType } = link
  const source = await files.open(digest)
  const bytes = source && (await readAll(source))
  if (!bytes || digestOf(bytes, algorithmOf(digest)) !== digest) return []
  const facts = factsOf(bytes, mediaType)
  const edges = facts && edgesOf(facts)
  const referring = facts && referringFrom(facts, { digest, size: bytes.length })
  return [
    ...(edges ? [{ put: keys.edges(digest), value: encode(edges) }] : []),
    ...(referring ? referringOperations(repository, referring) : []),
  ]
}

/** It was accepted once; by a version that reads otherwise. */
function factsOf(bytes: Uint8Array, mediaType: string): ManifestFacts | undefined {
  try {
    return readManifest(bytes, mediaType)
  } catch (error) {
    if (error instanceof OciError) return undefined
    throw error
  }
}
