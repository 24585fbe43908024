import { join } from 'node:path'
import type { Spool } from '../../src/store/spool.ts'
import { createSpools } from '../../src/store/spools.ts'
import { temporaryDirectory } from './temporary.ts'

/** An empty directory of spools. */
export async function spoolDirectory() {
  const directory = join(await temporaryDirectory(), 'spool')
  return { directory, spools: await createSpools(directory) }
}

export async function appendAll(spool: Spool, bytes: Buffer, chunk: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += chunk) await spool.append(bytes.subarray(at, at + chunk))
}

/** Reads `size` bytes from the start, as they come. */
export async function tail(spool: Spool, size: number): Promise<Buffer> {
  const content = Buffer.alloc(size)
  for (let position = 0; position < size;) {
    await spool.grown(position)
    const count = await spool.read(position, content.subarray(position, position + 50_000))
    if (count === 0) throw new Error(`No more bytes came after ${position}.`)
    position += count
  }
  return content
}
