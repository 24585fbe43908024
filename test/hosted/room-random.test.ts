/** Many clients push, break off, cancel, lie and delete where there is little room: the count of bytes is what is on disk. */
import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { OciError } from '../../src/oci/errors.ts'
import type { HostedRepository, Upload } from '../../src/repository/hosted.ts'
import { createRandom, type Random } from '../crash/random.ts'
import { chunksOf, type House, nameOf, openHouse } from './house.ts'

const by = 'anonymous'
const maxSize = 2 * 1024 ** 2
const largest = 400_000

async function bytesOnDisk({ directory }: House): Promise<number> {
  let bytes = 0
  for (const folder of ['blobs', 'spool']) {
    const found = readdir(join(directory, folder), { recursive: true, withFileTypes: true })
    // A folder comes with its first file.
    const entries = await found.catch(() => [])
    for (const entry of entries.filter((each) => each.isFile() && !each.name.endsWith('.session'))) {
      // It may go while it is looked at.
      bytes += await stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      )
    }
  }
  return bytes
}

async function* breakingOff(bytes: Uint8Array) {
  yield bytes
  throw new Error('The client has gone.')
}

/** One push, as well behaved as chance has it; what a refusal says is one of the spec's errors. */
async function pushSomehow(repository: HostedRepository, random: Random, open: Upload[]): Promise<Digest | undefined> {
  const bytes = randomBytes(1 + random.below(largest))
  try {
    const upload = random.below(3) === 0 && open.length > 0 ? open.pop() : await repository.startUpload({ by })
    if (!upload) return undefined
    const before = upload.offset
    switch (random.below(6)) {
      case 0:
        await upload.append(breakingOff(bytes)).catch(() => {})
        open.push(upload)
        return undefined
      case 1:
        await upload.append(chunksOf(bytes, 10_000), before, bytes.length + 5).catch(() => {})
        open.push(upload)
        return undefined
      case 2:
        await upload.append(chunksOf(bytes, 10_000))
        await upload.commit(digestOf(Buffer.from('another')))
        return undefined
      case 3:
        await upload.append(chunksOf(bytes, 10_000))
        await upload.cancel()
        return undefined
      default:
        await upload.append(chunksOf(bytes, 10_000), before, random.below(2) === 0 ? bytes.length : undefined)
        if (before > 0) await upload.cancel()
        else await upload.commit(digestOf(bytes))
        return before > 0 ? undefined : digestOf(bytes)
    }
  } catch (error) {
    if (!(error instanceof OciError) || error.status >= 500) throw error
    return undefined
  }
}

test('whatever clients do, the room that is counted is what is on disk, and never more than maxSize', async () => {
  const seed = process.env['ENTREPOT_TEST_SEED'] ?? randomBytes(8).toString('hex')
  console.log(`ENTREPOT_TEST_SEED=${seed}`)
  const house = await openHouse({ maxSize })
  const open: Upload[] = []
  let pushed = 0
  const clients = Array.from({ length: 8 }, async (_, client) => {
    const random = createRandom(`${seed} ${client}`)
    const repository = house.repository(`local/app${client % 3}`)
    const mine: Digest[] = []
    for (let turn = 0; turn < 60; turn += 1) {
      const digest = await pushSomehow(repository, random, open)
      if (digest) {
        mine.push(digest)
        pushed += 1
      }
      if (mine.length > 1 || random.below(4) === 0)
        await repository.deleteBlob(mine.shift() ?? digestOf(Buffer.from('')))
      expect(house.room.used()).toBeLessThanOrEqual(maxSize)
    }
    for (const digest of mine) expect(await repository.deleteBlob(digest)).toBe(true)
  })
  await Promise.all(clients)
  expect(pushed).toBeGreaterThan(20)
  await expect.poll(async () => house.room.used() - (await bytesOnDisk(house))).toBe(0)
  for (const upload of open) await upload.cancel().catch(() => {})
  await expect.poll(() => house.room.used()).toBe(0)
  expect(await bytesOnDisk(house)).toBe(0)
  // All of it can be had again.
  const whole = randomBytes(maxSize)
  const upload = await house.repository('local/app').startUpload({ by, size: whole.length })
  await upload.append(chunksOf(whole))
  await upload.commit(digestOf(whole))
  expect(
    await house.catalog.link({ origin: 'hosted', name: nameOf('local/app') }, 'blob', digestOf(whole)),
  ).toBeDefined()
})
