import { describe, expect, test } from 'vitest'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { type Entrepot, startEntrepot } from '../daemon/entrepot.ts'
import { pull } from '../daemon/pulling.ts'
import { imageManifest, noise } from './content.ts'
import { filesIn, inspectKept, spoolsIn } from './kept.ts'
import { createPusher, type Pusher } from './pushing.ts'
import { copiesOf, type Directory } from './warm.ts'

const spoolSteps = ['spool.opened', 'spool.writing', 'spool.written', 'spool.sealed']
const fileSteps = ['files.opened', 'files.fsynced', 'files.renamed', 'files.directory-synced']
/** From here on the entry is in the journal, and so the next start makes records of it. */
const journalSteps = ['journal.written', 'journal.synced', 'journal.appended']
const recordSteps = ['level.batch-before', 'level.batch-after']

const layer = noise('layer', 100_000)
const kept = { digest: digestOf(layer), size: layer.length }
const image = imageManifest([kept])
const next = imageManifest([kept, kept])
const blob = noise('pushed', 300_000)
const tiny = noise('tiny', 7)
const [imageDigest, nextDigest] = [image, next].map((text) => digestOf(Buffer.from(text))) as [Digest, Digest]

const copyOfWarm = copiesOf(warm)

/** A daemon to which an image was pushed has ended. */
async function warm(directory: Directory): Promise<void> {
  const daemon = await startEntrepot(directory)
  expect(await pusherOf(daemon).blob(layer)).toBe(201)
  expect(await pusherOf(daemon).manifest('moving', image)).toBe(201)
  expect(await daemon.stop()).toMatchObject({ code: 0 })
}

function pusherOf(daemon: Entrepot): Pusher {
  return createPusher(`${daemon.url}/v2/local/app`)
}

async function get(daemon: Entrepot, path: string) {
  return pull(`${daemon.url}/v2/local/app/${path}`)
}

/** What the push is made of that dies, and then what there is: none of it, or all. */
interface Subject {
  before: string[]
  after: string[]
  push: (pusher: Pusher) => Promise<number | undefined>
  /** How it answers when it is done again. */
  answers: number[]
  /** Files that are gone in the end, in the background. */
  freed?: Digest[]
  expectNothing: (daemon: Entrepot) => Promise<void>
  expectAll: (daemon: Entrepot) => Promise<void>
}

function uploadOf(bytes: Uint8Array): Subject {
  const path = `blobs/${digestOf(bytes)}`
  return {
    before: ['session.writing', ...spoolSteps, ...fileSteps, 'content.placed', 'journal.writing'],
    after: [...journalSteps, ...recordSteps, 'session.deleting', 'session.deleted'],
    push: (pusher) => pusher.blob(bytes),
    answers: [201],
    expectNothing: async (daemon) => expect(await get(daemon, path)).toMatchObject({ status: 404 }),
    expectAll: async (daemon) =>
      expect(await get(daemon, path)).toMatchObject({ status: 200, digest: digestOf(bytes), size: bytes.length }),
  }
}

const subjects: Record<string, Subject> = {
  'a blob': uploadOf(blob),
  'a blob of a few bytes': uploadOf(tiny),
  'a manifest and its tag': {
    before: [...spoolSteps, ...fileSteps, 'content.placed', 'journal.writing'],
    after: [...journalSteps, ...recordSteps],
    push: (pusher) => pusher.manifest('moving', next),
    answers: [201],
    async expectNothing(daemon) {
      expect(await get(daemon, 'manifests/moving')).toMatchObject({ status: 200, digest: imageDigest })
      expect(await get(daemon, `manifests/${nextDigest}`)).toMatchObject({ status: 404 })
    },
    async expectAll(daemon) {
      for (const reference of ['moving', nextDigest])
        expect(await get(daemon, `manifests/${reference}`)).toMatchObject({ status: 200, digest: nextDigest })
    },
  },
  'the delete of a manifest with its tag': {
    before: ['journal.writing'],
    after: [...journalSteps, ...recordSteps, 'content.unlinked', 'content.dropped'],
    push: (pusher) => pusher.delete(`manifests/${imageDigest}`),
    answers: [202, 404],
    freed: [imageDigest],
    async expectNothing(daemon) {
      for (const reference of ['moving', imageDigest])
        expect(await get(daemon, `manifests/${reference}`)).toMatchObject({ status: 200, digest: imageDigest })
    },
    async expectAll(daemon) {
      for (const reference of ['moving', imageDigest])
        expect(await get(daemon, `manifests/${reference}`)).toMatchObject({ status: 404 })
      expect(await pusherOf(daemon).tags()).toEqual([])
    },
  },
}

async function die(house: Directory, step: string, subject: Subject): Promise<string | undefined> {
  const doomed = await startEntrepot({ ...house, env: { ENTREPOT_TEST_FAILPOINT: step } })
  const pusher = pusherOf(doomed)
  await subject.push(pusher)
  expect(await doomed.ended).toMatchObject({ signal: 'SIGKILL', stderr: '' })
  return pusher.location()
}

describe.each(Object.entries(subjects))('killed over %s', (_, subject) => {
  test.each([...subject.before, ...subject.after])('at %s', async (step) => {
    const house = await copyOfWarm()
    const { data } = house
    const location = await die(house, step, subject)

    const daemon = await startEntrepot(house)
    if (subject.before.includes(step)) await subject.expectNothing(daemon)
    else await subject.expectAll(daemon)
    expect(await get(daemon, `blobs/${kept.digest}`)).toMatchObject({ status: 200, digest: kept.digest })
    expect(subject.answers).toContain(await subject.push(pusherOf(daemon)))
    await subject.expectAll(daemon)
    if (location !== undefined) await pusherOf(daemon).cancel(new URL(location, daemon.url).pathname)
    // A session that no client was told of stays until it expires.
    const isLeft = (name: string) => location !== undefined || !name.endsWith('.session')
    await expect.poll(async () => (await spoolsIn(data)).filter(isLeft)).toEqual([])
    for (const digest of subject.freed ?? [])
      await expect.poll(() => filesIn(data), { timeout: 10_000 }).not.toContain(digest)
    expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })

    const found = await inspectKept(data)
    expect(found).toMatchObject({ orphans: [], damaged: [], unlinked: [] })
    expect(await filesIn(data)).toEqual(found.recorded.toSorted())
  })
})

test.each(['spool.written', 'files.fsynced'])('a session that was killed at %s goes on where it was', async (step) => {
  const house = await copyOfWarm()
  const location = (await die(house, step, uploadOf(blob))) ?? ''
  const daemon = await startEntrepot(house)
  const pusher = pusherOf(daemon)
  const { pathname } = new URL(location, daemon.url)
  const arrived = await pusher.arrived(pathname)
  expect(arrived).toBeGreaterThan(0)
  expect(await pusher.finish(pathname, blob.subarray(arrived), digestOf(blob))).toBe(201)
  expect(await get(daemon, `blobs/${digestOf(blob)}`)).toMatchObject({ status: 200, digest: digestOf(blob) })
  expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
})
