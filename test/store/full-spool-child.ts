/** Fills the disk with a spool, and prints as JSON what it tells of itself then. Argument: directory, of 128 MiB. */
import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf } from '../../src/oci/digest.ts'
import { createSpools } from '../../src/store/spools.ts'

const [directory = ''] = process.argv.slice(2)
const spools = await createSpools(join(directory, 'spool'))
const spool = await spools.create('a')
const bytes = randomBytes(150_000_001)
const chunk = 65_521

let taken = 0
const error: unknown = await (async () => {
  for (; taken < bytes.length; taken += chunk) await spool.append(bytes.subarray(taken, taken + chunk))
})().catch((reason: unknown) => reason)
const { hash, position } = await spool.hashAt()
const content = Buffer.alloc(position)
for (let at = 0; at < position;) at += await spool.read(at, content.subarray(at))
hash.update(bytes.subarray(position))
const readable = content.equals(bytes.subarray(0, position)) && position === spool.written
await spool.discard()
console.log(
  JSON.stringify({
    code: error instanceof Error && 'code' in error ? error.code : String(error),
    most: position > 100_000_000,
    readable,
    whole: `sha256:${hash.digest('hex')}` === digestOf(bytes),
    left: await readdir(join(directory, 'spool')),
  }),
)
