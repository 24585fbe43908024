import { randomBytes } from 'node:crypto'
import { access } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ByteSource } from '../../src/oci/byte-source.ts'
import { digestOf, type DigestAlgorithm } from '../../src/oci/digest.ts'
import type { BlobStore } from '../../src/store/blob-store.ts'

export interface OpenedBlobStore {
  /** Empty. */
  store: BlobStore
  /** Writes a spool file that the store can take over, and gives its path. */
  spool(bytes: Uint8Array): Promise<string>
  remove(): Promise<void>
}

/** What every driver of BlobStore must do; `open` makes a new empty store for each test. */
export function blobStoreConformance(name: string, open: () => Promise<OpenedBlobStore>): void {
  describe(`BlobStore: ${name}`, () => {
    let opened: OpenedBlobStore
    let store: BlobStore

    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.remove())

    async function adopt(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256') {
      const digest = digestOf(bytes, algorithm)
      const spool = await opened.spool(bytes)
      await store.adopt(spool, { digest, size: bytes.length })
      return { digest, spool }
    }

    test('a digest that was never adopted is absent, and deleting it is no error', async () => {
      const digest = digestOf(Buffer.from('never'))
      expect(await store.open(digest)).toBeUndefined()
      await store.delete(digest)
      expect(await listed(store)).toEqual([])
    })

    test('what is set aside is neither read nor listed, and makes way for the same digest', async () => {
      const bytes = randomBytes(1000)
      const { digest } = await adopt(bytes)
      await store.setAside(digest)
      expect(await store.open(digest)).toBeUndefined()
      expect(await listed(store)).toEqual([])
      await store.setAside(digest)
      await adopt(bytes)
      expect(await contentOf(await store.open(digest))).toEqual(bytes)
    })

    test.each(['sha256', 'sha512'] as const)(
      'an adopted spool is read back under its %s digest and is gone',
      async (algorithm) => {
        const bytes = randomBytes(300_000)
        const { digest, spool } = await adopt(bytes, algorithm)
        expect(await contentOf(await store.open(digest))).toEqual(bytes)
        await expect(access(spool)).rejects.toThrow('ENOENT')
      },
    )

    test('an empty blob is kept', async () => {
      const { digest } = await adopt(Buffer.alloc(0))
      const source = await store.open(digest)
      expect(source?.size).toBe(0)
      expect(await source?.read(0, Buffer.alloc(10))).toBe(0)
      await source?.close()
    })

    test('a read starts at any position and ends with the blob', async () => {
      const { digest } = await adopt(Buffer.from('0123456789'))
      const source = await store.open(digest)
      const buffer = Buffer.alloc(6)
      expect(await source?.read(2, buffer)).toBe(6)
      expect(buffer.toString()).toBe('234567')
      expect(await source?.read(8, buffer)).toBe(2)
      expect(buffer.toString()).toBe('894567')
      expect(await source?.read(10, buffer)).toBe(0)
      await source?.close()
    })

    test('many readers of one blob read at their own pace', async () => {
      const bytes = randomBytes(200_000)
      const { digest } = await adopt(bytes)
      const contents = await Promise.all(Array.from({ length: 20 }, async () => contentOf(await store.open(digest))))
      expect(contents.every((content) => content.equals(bytes))).toBe(true)
    })

    test('a digest that is there already is replaced, and the second spool is gone', async () => {
      const bytes = randomBytes(1000)
      const first = await adopt(bytes)
      const reader = await store.open(first.digest)
      const second = await adopt(bytes)
      await expect(access(second.spool)).rejects.toThrow('ENOENT')
      expect(await listed(store)).toHaveLength(1)
      expect(await contentOf(reader)).toEqual(bytes)
      expect(await contentOf(await store.open(first.digest))).toEqual(bytes)
    })

    test('a spool of another size than its descriptor is refused and deleted', async () => {
      const bytes = randomBytes(1000)
      const digest = digestOf(bytes)
      const spool = await opened.spool(bytes.subarray(1))
      await expect(store.adopt(spool, { digest, size: 1000 })).rejects.toThrow('999 bytes')
      await expect(access(spool)).rejects.toThrow('ENOENT')
      expect(await store.open(digest)).toBeUndefined()
    })

    test('a reader reads on after the blob is deleted', async () => {
      const bytes = randomBytes(100_000)
      const { digest } = await adopt(bytes)
      const source = await store.open(digest)
      await store.delete(digest)
      expect(await store.open(digest)).toBeUndefined()
      expect(await contentOf(source)).toEqual(bytes)
    })

    test('a closed source refuses to read, and closes once', async () => {
      const { digest } = await adopt(randomBytes(10))
      const source = await store.open(digest)
      await Promise.all([source?.close(), source?.close()])
      await expect(source?.read(0, Buffer.alloc(10))).rejects.toThrow('closed')
    })

    test('the list names every blob with its size and time', async () => {
      const from = Date.now() - 2000
      const digests = new Map<string, number>()
      for (let size = 0; size < 40; size += 1)
        digests.set((await adopt(randomBytes(size), size % 2 ? 'sha512' : 'sha256')).digest, size)
      const found = await listed(store)
      expect(new Map(found.map(({ digest, size }) => [digest, size]))).toEqual(digests)
      expect(found).toHaveLength(40)
      expect(found.every(({ modifiedAt }) => modifiedAt >= from && modifiedAt <= Date.now() + 2000)).toBe(true)
    })
  })
}

async function listed(store: BlobStore) {
  const found: { digest: string; size: number; modifiedAt: number }[] = []
  for await (const entry of store.list()) found.push(entry)
  return found
}

/** Reads a source to its end in pieces and closes it. */
async function contentOf(source: ByteSource | undefined): Promise<Buffer> {
  if (source === undefined) throw new Error('The blob is absent.')
  const pieces: Buffer[] = []
  for (let position = 0; ;) {
    const buffer = Buffer.alloc(65_536)
    const count = await source.read(position, buffer)
    if (count === 0) break
    pieces.push(buffer.subarray(0, count))
    position += count
  }
  await source.close()
  return Buffer.concat(pieces)
}
