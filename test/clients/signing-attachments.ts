/** How oras and regctl attach artifacts, find and pull them again, and copy an image with all that is attached to it. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ociManifest } from '../../src/oci/media-types.ts'
import { pinnedVersion } from '../support/tools.ts'
import { keepWhole } from './signing-cosign.ts'
import type { Attachment, Spot } from './signing.ts'

const oras = { client: `oras ${pinnedVersion('oras')}`, tools: ['oras', 'crane'], on: 'image' } as const
const regctl = { client: `regctl ${pinnedVersion('regctl')}`, tools: ['regctl', 'oras', 'crane'], on: 'image' } as const
const sbomType = 'application/vnd.cyclonedx+json'
const reviewType = 'application/vnd.example.review'
const notaryType = 'application/vnd.cncf.notary.signature'
const noType = 'application/vnd.example.nothing'

/** Envelopes of the Notary Project, in its two media types; nobody but its clients reads what is in them. */
const envelopes = [
  { mediaType: 'application/jose+json', bytes: '{"payload":"e30","protected":"e30","header":{},"signature":"AA"}' },
  { mediaType: 'application/cose', bytes: '\u{d2}an envelope' },
]

export const otherAttachments: Attachment[] = [
  {
    ...row(oras, 'attach, discover (tree, JSON, by type), pull'),
    async make(spot) {
      return [await attach(spot, spot.reference, sbomType)]
    },
    async check(spot, made) {
      await keepWhole(spot)
      const tree = await spot.tool('oras', 'discover', '--plain-http', '--depth', '1', spot.reference)
      if (!made.every((digest) => tree.includes(digest)))
        throw new Error(`oras discover lacks ${made.join()}:\n${tree}`)
      expectSame(await discovered(spot, '--artifact-type', sbomType), made)
      expectSame(await discovered(spot, '--artifact-type', noType), [])
      for (const digest of made) await pulls(spot, digest, sbomType)
    },
  },
  {
    ...row(oras, 'an attachment of an attachment'),
    make: makeNested,
    async check(spot, made) {
      await keepWhole(spot)
      expectSame(await discovered(spot, '--depth', '2'), made)
      const [sbom = '', review = ''] = made
      await pulls(spot, sbom, sbomType)
      await pulls(spot, review, reviewType)
    },
  },
  {
    ...row(oras, 'discover down to the last attachment'),
    unanswered: 'without API',
    make: makeNested,
    async check(spot, made) {
      await keepWhole(spot)
      const tree = await spot.tool('oras', 'discover', '--plain-http', spot.reference)
      if (!made.every((digest) => tree.includes(digest)))
        throw new Error(`oras discover lacks ${made.join()}:\n${tree}`)
    },
  },
  {
    ...row(oras, 'copy --recursive into a hosted repository'),
    unanswered: 'without API',
    make: makeNested,
    async check(spot, made) {
      const flags = ['--recursive', '--from-plain-http', '--to-plain-http']
      await spot.tool('oras', 'copy', ...flags, spot.reference, `${spot.hosted}:1.0`)
      await isWholeAt(spot, made)
    },
  },
  {
    ...row(oras, 'Notary Project signatures (JWS, COSE), byte for byte'),
    async make(spot) {
      const digests = []
      for (const envelope of envelopes) digests.push(await putEnvelope(spot, envelope))
      return digests
    },
    async check(spot, made) {
      await keepWhole(spot)
      expectSame(await discovered(spot, '--artifact-type', notaryType), made)
      for (const [at, envelope] of envelopes.entries()) {
        const manifest = await spot.tool('oras', 'manifest', 'fetch', '--plain-http', `${spot.repository}@${made[at]}`)
        expectSame([manifest], [notaryManifest(spot, envelope)])
        const blob = ['--plain-http', '--output', '-', `${spot.repository}@${sha256(envelope.bytes)}`]
        expectSame([await spot.tool('oras', 'blob', 'fetch', ...blob)], [envelope.bytes])
      }
    },
  },
  {
    ...row(regctl, 'artifact put, list (by type), get'),
    async make(spot) {
      return [await put(spot)]
    },
    async check(spot, made) {
      await keepWhole(spot)
      const get = ['artifact', 'get', '--subject', spot.reference, '--filter-artifact-type', sbomType]
      expectSame([await regctlAt(spot, ...get)], [contentOf(sbomType)])
      expectSame(await listedByRegctl(spot, sbomType), made)
      expectSame(await listedByRegctl(spot, noType), [])
    },
  },
  {
    ...row(regctl, 'artifact tree'),
    unanswered: 'without API',
    async make(spot) {
      return [await put(spot)]
    },
    async check(spot, made) {
      await keepWhole(spot)
      await regctlAt(spot, 'artifact', 'get', `${spot.repository}@${made[0]}`)
      const tree = await regctlAt(spot, 'artifact', 'tree', spot.reference)
      if (!made.every((digest) => tree.includes(digest)))
        throw new Error(`regctl artifact tree lacks ${made.join()}:\n${tree}`)
    },
  },
  {
    ...row(regctl, 'image copy --referrers into a hosted repository'),
    unanswered: 'without API',
    async make(spot) {
      return [await put(spot)]
    },
    async check(spot, made) {
      await regctlAt(spot, 'image', 'copy', '--referrers', spot.reference, `${spot.hosted}:1.0`)
      await isWholeAt(spot, made)
    },
  },
]

function row<T extends object>(client: T, what: string): T & { what: string } {
  return { ...client, what }
}

/** Settles with the digest of what is attached now. */
async function attach(spot: Spot, to: string, type: string): Promise<string> {
  await writeFile(join(spot.folder, 'content.json'), contentOf(type))
  const flags = ['--plain-http', '--artifact-type', type, '--format', 'json']
  const printed = await spot.tool('oras', 'attach', ...flags, to, 'content.json:application/json')
  const digest = /"digest": "(sha256:[0-9a-f]{64})"/.exec(printed)?.[1]
  if (digest === undefined) throw new Error(`oras attach prints no digest:\n${printed}`)
  return digest
}

async function makeNested(spot: Spot): Promise<string[]> {
  const sbom = await attach(spot, spot.reference, sbomType)
  return [sbom, await attach(spot, `${spot.repository}@${sbom}`, reviewType)]
}

/** The digests that `oras discover` prints, but for the subject's own. */
async function discovered(spot: Spot, ...flags: string[]): Promise<string[]> {
  const level = flags.includes('--depth') ? [] : ['--depth', '1']
  const json = ['--plain-http', '--format', 'json', ...level, ...flags]
  const printed = await spot.tool('oras', 'discover', ...json, spot.reference)
  const found = [...printed.matchAll(/"digest": "(sha256:[0-9a-f]{64})"/g)].map(([, digest = '']) => digest)
  return found.filter((digest) => digest !== spot.digest)
}

async function pulls(spot: Spot, digest: string, type: string): Promise<void> {
  const into = join(spot.folder, `pulled-${digest.slice(-12)}`)
  await mkdir(into)
  await spot.tool('oras', 'pull', '--plain-http', '--output', into, `${spot.repository}@${digest}`)
  expectSame([await readFile(join(into, 'content.json'), 'utf8')], [contentOf(type)])
}

/** The copy in the hosted repository has all that was attached. */
async function isWholeAt(spot: Spot, made: string[]): Promise<void> {
  const copy = { ...spot, repository: spot.hosted, reference: `${spot.hosted}:1.0` }
  expectSame(await discovered(copy, '--depth', '9'), made)
  await copy.tool('crane', 'validate', '--remote', copy.reference)
  await pulls(copy, made[0] ?? '', sbomType)
}

async function put(spot: Spot): Promise<string> {
  await writeFile(join(spot.folder, 'content.json'), contentOf(sbomType))
  const file = ['--file', 'content.json', '--file-title', '--file-media-type', 'application/json']
  const what = ['--artifact-type', sbomType, ...file, '--subject', spot.reference]
  return regctlAt(spot, 'artifact', 'put', ...what, '--format', '{{.Manifest.GetDescriptor.Digest}}')
}

async function listedByRegctl(spot: Spot, type: string): Promise<string[]> {
  const format = '{{range .Descriptors}}{{println .Digest}}{{end}}'
  const flags = ['--filter-artifact-type', type, '--format', format]
  const printed = await regctlAt(spot, 'artifact', 'list', ...flags, spot.reference)
  return printed.split('\n').filter((line) => line !== '')
}

function regctlAt(spot: Spot, ...args: string[]): Promise<string> {
  const hosts = new Set([spot.repository, spot.hosted].map((repository) => repository.split('/')[0]))
  return spot.tool('regctl', ...[...hosts].flatMap((host) => ['--host', `reg=${host},tls=disabled`]), ...args)
}

async function putEnvelope(spot: Spot, envelope: (typeof envelopes)[number]): Promise<string> {
  for (const bytes of ['{}', envelope.bytes]) {
    await writeFile(join(spot.folder, 'blob'), bytes)
    await spot.tool('oras', 'blob', 'push', '--plain-http', spot.repository, 'blob')
  }
  const manifest = notaryManifest(spot, envelope)
  await writeFile(join(spot.folder, 'manifest.json'), manifest)
  const reference = `${spot.repository}@${sha256(manifest)}`
  await spot.tool('oras', 'manifest', 'push', '--plain-http', '--media-type', ociManifest, reference, 'manifest.json')
  return sha256(manifest)
}

/** With the blanks and the last line break of a person's editor: whoever writes it anew has another digest. */
function notaryManifest(spot: Spot, { mediaType, bytes }: (typeof envelopes)[number]): string {
  const manifest = {
    schemaVersion: 2,
    mediaType: ociManifest,
    artifactType: notaryType,
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha256('{}'), size: 2 },
    layers: [{ mediaType, digest: sha256(bytes), size: Buffer.byteLength(bytes) }],
    subject: { mediaType: ociManifest, digest: spot.digest, size: spot.size },
    annotations: { 'io.cncf.notary.x509chain.thumbprint#S256': '[]' },
  }
  return `${JSON.stringify(manifest, undefined, 3)}\n`
}

function contentOf(type: string): string {
  return JSON.stringify({ type })
}

function sha256(bytes: string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function expectSame(found: string[], wanted: string[]): void {
  if (JSON.stringify(found.toSorted()) === JSON.stringify(wanted.toSorted())) return
  throw new Error(`found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`)
}
