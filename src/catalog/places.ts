/** Where bytes stand: in LevelDB those of at most 16 KiB, in a file named by its digest whatever is larger. */
import { readFile, unlink } from 'node:fs/promises'
import type { ByteSource } from '../oci/byte-source.ts'
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts'
import type { BlobStore } from '../store/blob-store.ts'
import { hasCode } from '../store/errors.ts'
import type { Operation } from '../store/key-value.ts'
import type { RecordStore } from './record-store.ts'
import { type BlobRecord, cannotBeFetched, keys, type Proof } from './records.ts'

/** Larger content is a file (measured: docs/decisions/0001-bytes-outside-leveldb.md). */
const inlineLimit = 16 * 1024

/** Bytes that already match their digest: in memory, or in a spool file, which is taken over. */
export type Bytes = { bytes: Uint8Array } | { spool: string; size: number }

/** A spool file that is complete. Nobody else touches it before it is closed. */
export interface WholeSpool {
  readonly path: string
  close(): Promise<void>
}

export interface Places {
  /** `undefined` where the bytes have gone from under their record. @throws where the disk does not say */
  open(digest: Digest, record: BlobRecord): Promise<ByteSource | undefined>
  isThere(digest: Digest, record: BlobRecord): Promise<boolean>
  /** Makes a durable file, or settles with what the batch of their record must write. */
  put(digest: Digest, bytes: Bytes, place: BlobRecord['place']): Promise<Operation[]>
  /** Makes a file of what is inline, as {@link put} does. False where the bytes have gone. */
  moveToFile(digest: Digest): Promise<boolean>
  remove(digest: Digest, place: BlobRecord['place']): Promise<void>
  /** Keeps what is damaged out of the way. */
  setAside(digest: Digest, place: BlobRecord['place']): Promise<void>
}

export interface PlaceOptions {
  records: RecordStore
  files: BlobStore
  /** Writes bytes to a new spool file. */
  spool: (bytes: Uint8Array) => Promise<WholeSpool>
}

export function createPlaces({ records, files, spool }: PlaceOptions): Places {
  async function open(digest: Digest, record: BlobRecord): Promise<ByteSource | undefined> {
    if (record.place === 'inline') {
      const bytes = await records.bytes(keys.inline(digest))
      return bytes && digestOf(bytes, algorithmOf(digest)) === digest ? inMemory(bytes) : undefined
    }
    const source = await openReadable(files, digest)
    if (source?.size === record.size) return source
    await source?.close()
    return undefined
  }

  async function putBytes(digest: Digest, bytes: Uint8Array): Promise<void> {
    const written = await spool(bytes)
    try {
      await files.adopt(written.path, { digest, size: bytes.length })
    } finally {
      await written.close()
    }
  }

  return {
    open,
    async isThere(digest, record) {
      const source = await open(digest, record)
      await source?.close()
      return source !== undefined
    },
    async put(digest, bytes, place) {
      const isFile = place === 'file'
      if ('bytes' in bytes) {
        if (!isFile) return [{ put: keys.inline(digest), value: bytes.bytes }]
        await putBytes(digest, bytes.bytes)
      } else {
        if (!isFile) return [{ put: keys.inline(digest), value: await takeSpool(bytes.spool) }]
        await files.adopt(bytes.spool, { digest, size: bytes.size })
      }
      return []
    },
    async moveToFile(digest) {
      const bytes = await records.bytes(keys.inline(digest))
      if (!bytes || digestOf(bytes, algorithmOf(digest)) !== digest) return false
      await putBytes(digest, bytes)
      return true
    },
    async setAside(digest, place) {
      if (place === 'file') await files.setAside(digest)
    },
    async remove(digest, place) {
      if (place === 'file') await files.delete(digest)
    },
  }
}

export function sizeOf(bytes: Bytes): number {
  return 'bytes' in bytes ? bytes.bytes.length : bytes.size
}

/** What cannot be fetched again is never in LevelDB alone. */
export function placeOf(size: number, links: readonly { proof: Proof }[]): BlobRecord['place'] {
  return size > inlineLimit || links.some(cannotBeFetched) ? 'file' : 'inline'
}

async function takeSpool(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path)
  await unlink(path)
  return bytes
}

/** A file that the disk cannot give any more is as good as gone: it is fetched again. */
async function openReadable(files: BlobStore, digest: Digest): Promise<ByteSource | undefined> {
  try {
    return await files.open(digest)
  } catch (error) {
    if (hasCode(error, 'EIO', 'EUCLEAN', 'EBADMSG')) return undefined
    throw error
  }
}

function inMemory(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    async read(position, buffer) {
      const part = bytes.subarray(position, position + buffer.length)
      buffer.set(part)
      return part.length
    },
    async close() {},
  }
}
