/** Signatures on hosted repositories: whom cosign believes, and what is left when they are deleted, cleaned away or copied. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { missingTools } from '../support/tools.ts'
import { attest, sign, verify, verifyAttestation } from './signing-cosign.ts'
import { openWorkshop, type Spot, type SubjectKind, subjectTools, type Workshop } from './signing.ts'

const missing = missingTools(...subjectTools)
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const formats = ['referrer', 'tag'] as const

let folder: string
let daemon: Daemon
let workshop: Workshop
let turns = 0

describe.skipIf(missing.length > 0)(`cosign on hosted repositories${hint}`, { timeout: 60_000 }, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-signing-'))
    workshop = await openWorkshop(folder)
    daemon = await startDaemon({ config: { dockerConfig: 'off' } })
  }, 60_000)

  beforeEach(() => onTestFailed(() => console.log(logTail(daemon))))

  afterAll(async () => {
    await daemon?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test.each(formats)('believes no signature and no attestation by another key: %s', async (format) => {
    const spot = await push('image')
    await sign(spot, format, 'one')
    await attest(spot, format, 'one')
    await verify(spot, format, 'one')
    await expect(verify(spot, format, 'two')).rejects.toThrow(/no matching (?:signatures|attestations)/)
    await expect(verifyAttestation(spot, format, 'two')).rejects.toThrow('no matching attestations')
  })

  test.each(formats)('finds no signature where another image of the repository is signed: %s', async (format) => {
    const signed = await push('image')
    const unsigned = await push('index', signed)
    await sign(signed, format, 'one')
    await expect(verify(unsigned, format, 'one')).rejects.toThrow('no signatures found')
  })

  test('finds nothing when the signature was deleted, and the list of referrers is empty', async () => {
    const spot = await push('image')
    await sign(spot, 'referrer', 'one')
    const [signature = ''] = await referrers(spot)
    const gone = await fetch(urlOf(spot, `manifests/${signature}`), { method: 'DELETE' })
    expect(gone.status).toBe(202)
    expect(await referrers(spot)).toEqual([])
    await expect(verify(spot, 'referrer', 'one')).rejects.toThrow('no signatures found')
  })

  test('goes on believing the one that is left of two', async () => {
    const spot = await push('image')
    await sign(spot, 'referrer', 'one')
    const [first = ''] = await referrers(spot)
    await sign(spot, 'referrer', 'two')
    expect(await referrers(spot)).toHaveLength(2)
    await fetch(urlOf(spot, `manifests/${first}`), { method: 'DELETE' })
    await expect(verify(spot, 'referrer', 'one')).rejects.toThrow(/no matching (?:signatures|attestations)/)
    await verify(spot, 'referrer', 'two')
  })

  test.each([
    { format: 'referrer', type: 'referrer' },
    { format: 'tag', type: 'all' },
  ] as const)('cleans away what it made, and nothing else: $format', async ({ format, type }) => {
    const spot = await push('image')
    await sign(spot, format, 'one')
    await attest(spot, format, 'one')
    await spot.tool('cosign', 'clean', '--force', '--type', type, '--allow-http-registry', spot.reference)
    expect(await tags(spot)).toEqual(['1.0'])
    expect(await referrers(spot)).toEqual([])
    await expect(verify(spot, format, 'one')).rejects.toThrow('no signatures found')
    await spot.tool('crane', 'validate', '--remote', spot.reference)
  })

  test('keeps signatures of the tag schema under the tags that it names', async () => {
    const spot = await push('image')
    await sign(spot, 'tag', 'one')
    await attest(spot, 'tag', 'one')
    const named = await Promise.all(['signature', 'attestation'].map((type) => triangulated(spot, type)))
    expect((await tags(spot)).toSorted()).toEqual(['1.0', ...named].toSorted())
  })

  test('copies an image with the signatures and attestations of the tag schema into another repository', async () => {
    const spot = await push('image')
    await sign(spot, 'tag', 'one')
    await attest(spot, 'tag', 'one')
    await spot.tool('cosign', 'copy', '--allow-http-registry', spot.reference, `${spot.hosted}:1.0`)
    const copy = { ...spot, reference: `${spot.hosted}:1.0` }
    await verify(copy, 'tag', 'one')
    await verifyAttestation(copy, 'tag', 'one')
  })
})

/** @param beside whose repository it goes into; by default one of its own */
async function push(kind: SubjectKind, beside?: Spot): Promise<Spot> {
  turns += 1
  const name = beside?.repository.slice(daemon.host.length + 1) ?? `local/one-${turns}`
  const subject = await workshop.push(kind, daemon.host, name)
  return workshop.spot(daemon.host, subject, `${daemon.host}/local/copy-${turns}`)
}

async function triangulated({ reference, repository, tool }: Spot, type: string): Promise<string> {
  const printed = await tool('cosign', 'triangulate', '--allow-http-registry', '--type', type, reference)
  return printed.trim().slice(repository.length + 1)
}

async function tags(spot: Spot): Promise<string[]> {
  return textsOf(await (await fetch(urlOf(spot, 'tags/list'))).json(), 'tags')
}

async function referrers(spot: Spot): Promise<string[]> {
  const response = await fetch(urlOf(spot, `referrers/${spot.digest}`))
  return textsOf(await response.json(), 'manifests')
}

/** Of each member its digest, where it is a descriptor. */
function textsOf(document: unknown, member: string): string[] {
  if (typeof document !== 'object' || document === null) throw new TypeError('no object')
  const list: unknown = Reflect.get(document, member)
  if (!Array.isArray(list)) throw new TypeError(`no ${member}`)
  return list.map((item: unknown) =>
    String(typeof item === 'object' && item !== null ? Reflect.get(item, 'digest') : item),
  )
}

function urlOf({ repository }: Spot, rest: string): string {
  return `http://${repository.replace('/', '/v2/')}/${rest}`
}
