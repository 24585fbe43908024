import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { digestOf, parseDigest } from '../../src/oci/digest.ts'
import { createFileStore } from '../../src/store/files.ts'
import { holdDirectory } from '../../src/store/holder.ts'
import { openLevel } from '../../src/store/level.ts'
import { createSpools } from '../../src/store/spools.ts'
import { temporaryDirectory } from './temporary.ts'

const child = new URL('commit-child.ts', import.meta.url).pathname
const steps = [
  'spool.opened',
  'spool.writing',
  'spool.written',
  'spool.sealed',
  'files.opened',
  'files.fsynced',
  'files.renamed',
  'files.directory-synced',
  'level.batch-before',
  'level.batch-after',
]

/** Runs the commits until the failpoint, or a delay in ms after the first of them, kills them; gives the digests that were acknowledged. */
async function commitUntilKilled(data: string, options: { failpoint?: string; delay?: number; seed?: string }) {
  const count = options.delay === undefined ? '12' : '400'
  const running = spawn(process.execPath, [child, data, count, options.seed ?? 'a'], {
    env: { ...process.env, ENTREPOT_TEST_FAILPOINT: options.failpoint ?? '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  running.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  if (options.delay !== undefined)
    running.stdout.once('data', () => setTimeout(() => running.kill('SIGKILL'), options.delay))
  const [, signal] = await once(running, 'close')
  return { signal: String(signal), acknowledged: output.split('\n').filter(Boolean) }
}

/** What a start finds: the records, and of each whether its file is there and is what its digest says. */
async function inspect(data: string) {
  const holding = await holdDirectory(data, { listen: '127.0.0.1:5000' })
  const { store, state } = await openLevel(join(data, 'catalog'), { reserve: 0 })
  const files = createFileStore(join(data, 'blobs'))
  const spools = await createSpools(join(data, 'spool'))
  const found = { blobs: [] as string[], links: [] as string[], damaged: [] as string[], files: 0, state }
  for await (const [key, value] of store.scan('blob/')) {
    const digest = parseDigest(key.slice('blob/'.length))
    if (digest === undefined) throw new Error(`The key ${key} is no record of a blob.`)
    found.blobs.push(digest)
    const source = await files.open(digest)
    const bytes = Buffer.alloc(Number(String(value)))
    const count = await source?.read(0, bytes)
    if (count !== bytes.length || source?.size !== bytes.length || digestOf(bytes) !== digest)
      found.damaged.push(digest)
    await source?.close()
  }
  for await (const [key] of store.scan('link/')) found.links.push(key.slice('link/'.length))
  for await (const _ of files.list()) found.files += 1
  await spools.sweep(0)
  expect(await readdir(join(data, 'spool'))).toEqual([])
  await store.close()
  await holding.release()
  return found
}

describe('a process that is killed', () => {
  test.each(steps.flatMap((step) => [`${step}:1`, `${step}:3`]))(
    'at %s leaves of each commit nothing or everything, and the next one works',
    async (failpoint) => {
      const data = await temporaryDirectory()
      const { signal, acknowledged } = await commitUntilKilled(data, { failpoint })
      expect(signal).toBe('SIGKILL')
      const found = await inspect(data)
      expect(found.damaged).toEqual([])
      expect(found.links).toEqual(found.blobs)
      expect(found.blobs).toEqual(expect.arrayContaining(acknowledged))

      const again = await commitUntilKilled(data, {})
      expect(again).toMatchObject({ signal: 'null' })
      const healed = await inspect(data)
      expect(healed.damaged).toEqual([])
      expect(healed.blobs.toSorted()).toEqual(again.acknowledged.toSorted())
      expect(healed.files).toBe(12)
    },
  )

  test('at any moment keeps what it acknowledged', async () => {
    const data = await temporaryDirectory()
    const acknowledged: string[] = []
    for (let round = 0; round < 12; round += 1) {
      const killed = await commitUntilKilled(data, { delay: 20 * round, seed: `${round}` })
      acknowledged.push(...killed.acknowledged)
      const found = await inspect(data)
      expect(found.damaged).toEqual([])
      expect(found.links).toEqual(found.blobs)
      expect(found.blobs).toEqual(expect.arrayContaining(acknowledged))
    }
    expect(acknowledged.length).toBeGreaterThan(0)
  })
})
