/**
 * Commits blobs in the order that docs/architecture.md gives, and prints the digest of each when its commit is acknowledged. Killed
 * by a failpoint. Arguments: data directory, number of blobs, seed.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { createFileStore } from '../../src/store/files.ts'
import { holdDirectory } from '../../src/store/holder.ts'
import { openLevel } from '../../src/store/level.ts'
import { createSpools } from '../../src/store/spools.ts'

const [data = '', count = '', seed = ''] = process.argv.slice(2)
const { directory } = await holdDirectory(data, { listen: '127.0.0.1:5000' })
const { store } = await openLevel(join(directory, 'catalog'), { reserve: 0 })
const spools = await createSpools(join(directory, 'spool'))
const files = createFileStore(join(directory, 'blobs'))

const lanes = 3
await Promise.all(
  Array.from({ length: lanes }, async (_, lane) => {
    for (let index = lane; index < Number(count); index += lanes) await commit(index)
  }),
)
await store.close()

async function commit(index: number): Promise<void> {
  const bytes = Buffer.alloc(50_000 + index * 1000, `${seed} ${index} `)
  const spool = await spools.create(`${index}`)
  for (let at = 0; at < bytes.length; at += 10_000) await spool.append(bytes.subarray(at, at + 10_000))
  const digest = await spool.seal()
  await files.adopt(spool.path, { digest, size: bytes.length })
  await spool.close()
  await store.batch([
    { put: `blob/${digest}`, value: Buffer.from(`${bytes.length}`) },
    { put: `link/${digest}`, value: Buffer.from('fetched') },
  ])
  writeSync(1, `${digest}\n`)
}
