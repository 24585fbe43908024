/** Records and their journal without a catalog around them, and changes of both at random. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Change, changeOperations } from '../../src/catalog/changes.ts'
import { createCommits } from '../../src/catalog/commits.ts'
import { createRecordStore } from '../../src/catalog/record-store.ts'
import type { RepositoryKey } from '../../src/catalog/records.ts'
import { restore } from '../../src/catalog/restore.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { createFileStore } from '../../src/store/files.ts'
import { openJournal } from '../../src/store/journal.ts'
import { openLevel } from '../../src/store/level.ts'
import { createRandom, type Random } from '../crash/random.ts'
import { nameOf, tagOf } from '../hosted/house.ts'
import { temporaryDirectory } from '../store/temporary.ts'

export const small = 8 * 1024
export const repository: RepositoryKey = { origin: 'hosted', name: nameOf('local/app') }

interface OpenOptions {
  directory?: string
  retryAfter?: number
}

/** Records and their journal, as a start brings them together. */
export async function openPair({ directory, retryAfter = 0 }: OpenOptions = {}) {
  const folder = directory ?? (await temporaryDirectory())
  const path = join(folder, 'journal')
  const { store, state } = await openLevel(join(folder, 'catalog'), {
    reserve: 0,
    retryAfter: 0,
    probe: 1,
    onCorrupt: () => void commits.doubt(),
  })
  const records = createRecordStore(store)
  const opened = await openJournal(path)
  const files = createFileStore(join(folder, 'blobs'))
  const warnings: string[] = []
  const { journal } = opened
  const warn = (message: string) => void warnings.push(message)
  const commits = createCommits({ records, journal, warn, small, retryAfter })
  const restored = await restore({ records, commits, files, ...opened }, state !== 'opened')
  let closing: Promise<void> | undefined
  async function closeAll(): Promise<void> {
    await commits.close()
    await journal.close()
    await store.close()
  }
  const close = () => (closing ??= closeAll())
  onTestFinished(close)
  return { directory: folder, path, records, journal, commits, restored, warnings, close }
}

export type Pair = Awaited<ReturnType<typeof openPair>>

function randomChange(random: Random, turn: number): Change {
  const tag = tagOf(`v${random.below(20)}`)
  const digest = digestOf(Buffer.from(`blob ${random.below(20)}`))
  switch (random.below(4)) {
    case 0:
      return { untag: tag, repository }
    case 1:
      return { unlink: { repository, kind: 'blob', digest } }
    case 2: {
      const link = {
        repository,
        kind: 'blob',
        digest,
        mediaType: 'x/y',
        proof: 'pushed',
        credential: '',
        at: turn,
      } as const
      return { link, size: 0 }
    }
    default:
      return { tag, repository, record: { digest, checkedAt: turn, changedAt: turn } }
  }
}

/** So many changes, eight at a time; how many were refused. */
export async function changeMuch({ commits }: Pair, seed: string, turns: number): Promise<number> {
  const random = createRandom(seed)
  let refused = 0
  for (let turn = 0; turn < turns; turn += 8) {
    const changes = Array.from({ length: 8 }, (_, index) => randomChange(random, turn + index))
    const done = await Promise.allSettled(changes.map((change) => commits.write(changeOperations(change), [change])))
    refused += done.filter(({ status }) => status === 'rejected').length
  }
  return refused
}

export async function recordsOf({ records }: Pair): Promise<string[]> {
  const found = []
  for (const prefix of ['link ', 'link-of ', 'tag '])
    for await (const [key, value] of records.scan(prefix)) found.push(`${key} ${Buffer.from(value).toString()}`)
  return found
}

/** What the journal alone makes of a new catalog. */
export async function rebuilt({ directory, close }: Pair): Promise<Pair> {
  await close()
  await rm(join(directory, 'catalog'), { recursive: true })
  return openPair({ directory })
}
