/** Something of everything in one repository of a registry that takes pushes: what the suite's read-only mode asks for. */
import { createHash } from 'node:crypto'
import { ociIndex, ociManifest } from '../../src/oci/media-types.ts'

export interface Seeded {
  tags: string[]
  manifests: string[]
  blobs: string[]
  /** Subjects of referrers. */
  referrers: string[]
}

type Algorithm = 'sha256' | 'sha512'

/** An image, an index of it, an artifact that refers to it, an empty blob, and the image by sha512 too. */
export async function seed(base: string): Promise<Seeded> {
  const layer = await putBlob(base, Buffer.alloc(3_000, 'a layer '))
  const nothing = await putBlob(base, Buffer.alloc(0))
  const config = await putBlob(base, Buffer.from('{"os":"linux","architecture":"amd64"}'))
  const empty = await putBlob(base, Buffer.from('{}'))
  const configOf = { mediaType: 'application/vnd.oci.image.config.v1+json', ...config }
  const tar = 'application/vnd.oci.image.layer.v1.tar'
  const image = {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: configOf,
    layers: [layer, nothing].map((one) => ({ mediaType: tar, ...one })),
  }
  const pushed = await putManifest(base, 'image', image)
  const index = await putManifest(base, 'index', {
    schemaVersion: 2,
    mediaType: ociIndex,
    manifests: [{ ...pushed, platform: { os: 'linux', architecture: 'amd64' } }],
  })
  const artifact = await putManifest(base, undefined, {
    schemaVersion: 2,
    mediaType: ociManifest,
    artifactType: 'application/vnd.example.sbom',
    config: { mediaType: 'application/vnd.oci.empty.v1+json', ...empty },
    layers: [{ mediaType: 'application/vnd.example.sbom', ...empty }],
    subject: pushed,
  })
  const bySha512 = await putManifest(base, undefined, image, 'sha512')
  return {
    tags: ['image', 'index'],
    manifests: [pushed, index, artifact, bySha512].map(({ digest }) => digest),
    blobs: [layer, nothing, config, empty].map(({ digest }) => digest),
    referrers: [pushed.digest],
  }
}

async function putBlob(base: string, bytes: Buffer): Promise<{ digest: string; size: number }> {
  const digest = digestOf(bytes, 'sha256')
  const started = await fetch(`${base}/blobs/uploads/`, { method: 'POST' })
  const location = new URL(started.headers.get('location') ?? '', base)
  location.searchParams.set('digest', digest)
  await expect201(await fetch(location, { method: 'PUT', body: new Uint8Array(bytes) }))
  return { digest, size: bytes.length }
}

async function putManifest(
  base: string,
  tag: string | undefined,
  manifest: { mediaType: string } & Record<string, unknown>,
  algorithm: Algorithm = 'sha256',
): Promise<{ mediaType: string; digest: string; size: number }> {
  const bytes = Buffer.from(JSON.stringify(manifest))
  const digest = digestOf(bytes, algorithm)
  const { mediaType } = manifest
  const request = { method: 'PUT', body: new Uint8Array(bytes), headers: { 'Content-Type': mediaType } }
  await expect201(await fetch(`${base}/manifests/${tag ?? digest}`, request))
  return { mediaType, digest, size: bytes.length }
}

async function expect201(response: Response): Promise<void> {
  const text = await response.text()
  if (response.status !== 201) throw new Error(`${response.url} answered ${response.status}: ${text}`)
}

function digestOf(bytes: Buffer, algorithm: Algorithm): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`
}
