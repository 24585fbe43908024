/**
 * Fills the disk that the data directory is on, and prints what the store did as JSON. Arguments: directory, and `reserve` or
 * `no-reserve`. Every value is random: LevelDB compresses.
 */
import { randomBytes } from 'node:crypto'
import { open, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode, StoreFullError } from '../../src/store/errors.ts'
import { openLevel } from '../../src/store/level.ts'

const [directory = '', mode = ''] = process.argv.slice(2)
const catalog = join(directory, 'catalog')
const ballast = join(directory, 'ballast')
const options = { reserve: mode === 'reserve' ? 16 * 1024 * 1024 : 0, retryAfter: 0 }
const { store } = await openLevel(catalog, options)
const acknowledged = new Set<string>()
const rejected = new Set<string>()
let next = 0

async function write(): Promise<string> {
  const key = `key/${(next += 1).toString().padStart(6, '0')}`
  const operations = [
    { put: key, value: randomBytes(6000) },
    { put: `${key}/also`, value: randomBytes(10) },
  ]
  return store.batch(operations).then(
    () => {
      acknowledged.add(key)
      return ''
    },
    (error: unknown) => {
      rejected.add(key)
      return String(error)
    },
  )
}

async function present(keys: Iterable<string>): Promise<string[]> {
  const found: string[] = []
  for (const key of keys) {
    const [value, also] = [await store.get(key), await store.get(`${key}/also`)]
    if (value !== undefined || also !== undefined) found.push(key)
  }
  return found
}

for (let round = 0; round < 200; round += 1) await write()
// The first write makes the reserve beside it.
if (mode === 'reserve') while ((await sizeOf(`${catalog}.reserve`)) < options.reserve) await write()
const disk = await statfs(directory)
await writeFile(ballast, Buffer.alloc(disk.bavail * disk.bsize - 2_000_000, 1))
let error = ''
while (error === '') error = await write()
const readableWhileFull = (await present(acknowledged)).length === acknowledged.size
const rejectedVisible = (await present(rejected)).length
const whileFull = await write()
if (mode !== 'reserve') await rm(ballast)
for (let round = 0; round < 200; round += 1) await write()
const rejectedAfter = rejected.size
await store.close()

// An opening on a disk without a free byte says so, and harms nothing.
await rm(ballast, { force: true })
await rm(`${catalog}.reserve`, { force: true })
await fillUp()
const opening = await openLevel(catalog, options).then(
  () => 'opened',
  (reason: unknown) => (reason instanceof StoreFullError ? reason.message : `not told: ${String(reason)}`),
)
await rm(ballast)

const again = await openLevel(catalog, options)
const keys = new Set<string>()
for await (const [key] of again.store.scan('key/')) keys.add(key)
await again.store.close()
async function fillUp(): Promise<void> {
  const handle = await open(ballast, 'w')
  const block = Buffer.alloc(65_536, 1)
  const full = await (async () => {
    for (;;) await handle.write(block)
  })().catch((reason: unknown) => reason)
  await handle.close()
  if (!hasCode(full, 'ENOSPC')) throw full
}

console.log(
  JSON.stringify({
    error,
    readableWhileFull,
    rejectedVisible,
    whileFull,
    opening,
    state: again.state,
    lost: [...acknowledged].filter((key) => !keys.has(key) || !keys.has(`${key}/also`)).length,
    raised: [...rejected].filter((key) => keys.has(key) || keys.has(`${key}/also`)).length,
    rejected: rejectedAfter,
    enough: acknowledged.size > 400,
  }),
)

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}
