/**
 * Manifests in every shape in which signatures were ever pushed: kept and served byte for byte, with the media type that they came
 * with, by a hosted repository and through a proxy of it.
 */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'

interface Shape {
  what: string
  mediaType: string
  /** Of its entry in the list of referrers; absent where it has none. */
  artifactType?: string
  /** What is in it beside the media type, the subject and the version of its schema. */
  members: Record<string, unknown>
}

const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha256('{}'), size: 2 }
const notary = 'application/vnd.cncf.notary.signature'
const envelope = (mediaType: string) => ({ mediaType, digest: sha256('an envelope'), size: 11 })

const shapes: Shape[] = [
  {
    what: 'an image manifest with an artifact type, JWS',
    mediaType: ociManifest,
    artifactType: notary,
    members: { artifactType: notary, config: empty, layers: [envelope('application/jose+json')] },
  },
  {
    what: 'an image manifest with an artifact type, COSE',
    mediaType: ociManifest,
    artifactType: notary,
    members: { artifactType: notary, config: empty, layers: [envelope('application/cose')] },
  },
  {
    what: 'an image manifest whose config has the type of the artifact, as notation pushes it',
    mediaType: ociManifest,
    artifactType: notary,
    members: { config: { ...empty, mediaType: notary }, layers: [envelope('application/jose+json')] },
  },
  {
    what: 'an index with an artifact type',
    mediaType: ociIndex,
    artifactType: 'application/vnd.example.signatures',
    members: { artifactType: 'application/vnd.example.signatures', manifests: [] },
  },
  ...['application/vnd.oci.artifact.manifest.v1+json', 'application/vnd.cncf.oras.artifact.manifest.v1+json'].map(
    (mediaType) => ({
      what: `${mediaType}, which no spec has any more`,
      mediaType,
      members: { artifactType: notary, blobs: [envelope('application/jose+json')] },
    }),
  ),
]

let daemon: Daemon
let proxy: Daemon

beforeAll(async () => {
  daemon = await startDaemon({ config: { dockerConfig: 'off' } })
  const upstreams = { 'up.test:5001': { alias: 'up', url: daemon.url } }
  proxy = await startDaemon({ config: { upstreams, dockerConfig: 'off', freshFor: '1ms' } })
}, 60_000)

afterAll(async () => {
  await proxy?.stop()
  await daemon?.stop()
})

describe.each(shapes)('$what', (shape) => {
  const name = `local/shape-${shapes.indexOf(shape)}`

  const listed = shape.artifactType !== undefined

  test(`comes back as it went, hosted and proxied, and is ${listed ? '' : 'not '}listed for its subject`, async () => {
    onTestFailed(() => console.log(logTail(daemon)))
    for (const blob of ['{}', 'an envelope', 'the config of the subject']) await pushBlob(name, blob)
    const subject = await pushManifest(name, ociManifest, subjectManifest())
    const bytes = written(shape, subject)
    const pushed = await pushManifest(name, shape.mediaType, bytes)
    expect(pushed.subject).toBe(listed ? subject.digest : null)

    for (const at of [`${daemon.url}/v2/${name}`, `${proxy.url}/v2/up/${name}`]) {
      const response = await fetch(`${at}/manifests/${pushed.digest}`)
      expect(response.headers.get('content-type')).toBe(shape.mediaType)
      expect(await response.text()).toBe(bytes)
      const head = await fetch(`${at}/manifests/${pushed.digest}`, { method: 'HEAD' })
      expect(head.headers.get('content-type')).toBe(shape.mediaType)
      expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(bytes)))
      const list = await (await fetch(`${at}/referrers/${subject.digest}`)).json()
      const { mediaType, artifactType } = shape
      const annotations = { 'org.example.kept': 'as it is' }
      const size = Buffer.byteLength(bytes)
      const entry = { mediaType, digest: pushed.digest, size, artifactType, annotations }
      expect(list).toMatchObject({ manifests: listed ? [entry] : [] })
    }
  })
})

interface PushedManifest {
  digest: string
  size: number
  /** What the daemon says that it refers to. */
  subject: string | null
}

function subjectManifest(): string {
  const text = 'the config of the subject'
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(text), size: text.length }
  return JSON.stringify({ schemaVersion: 2, mediaType: ociManifest, config, layers: [] })
}

/** With blanks and a line break at its end, which nobody may tidy up. */
function written({ mediaType, members }: Shape, subject: PushedManifest): string {
  const { digest, size } = subject
  const annotations = { 'org.example.kept': 'as it is' }
  const manifest = {
    schemaVersion: 2,
    mediaType,
    ...members,
    subject: { mediaType: ociManifest, digest, size },
    annotations,
  }
  return `${JSON.stringify(manifest, undefined, 3)}\n`
}

async function pushBlob(name: string, text: string): Promise<void> {
  const url = `${daemon.url}/v2/${name}/blobs/uploads/?digest=${sha256(text)}`
  const headers = { 'Content-Type': 'application/octet-stream' }
  expect((await fetch(url, { method: 'POST', headers, body: text })).status).toBe(201)
}

async function pushManifest(name: string, mediaType: string, bytes: string): Promise<PushedManifest> {
  const url = `${daemon.url}/v2/${name}/manifests/${sha256(bytes)}`
  const response = await fetch(url, { method: 'PUT', headers: { 'Content-Type': mediaType }, body: bytes })
  expect([response.status, await response.text()]).toEqual([201, ''])
  return { digest: sha256(bytes), size: Buffer.byteLength(bytes), subject: response.headers.get('oci-subject') }
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}
