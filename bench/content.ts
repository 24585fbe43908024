/** Content to measure with: blobs that do not compress, one of zeros that takes no disk, and an image manifest of the usual size. */
import { createCipheriv, createHash } from 'node:crypto'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export const mebibyte = 1024 * 1024

export interface Blob {
  digest: string
  size: number
  /** Where the file is. */
  path: string
}

export interface Image {
  /** Of its manifest. */
  digest: string
  /** Its manifest. */
  bytes: Buffer
  blobs: Blob[]
}

export const repository = 'bench/app'
export const tag = '1.0'
export const manifestType = 'application/vnd.oci.image.manifest.v1+json'

/** The path of a request for a blob, and of its file below a site's root. */
export function blobPath(digest: string): string {
  return `/v2/${repository}/blobs/${digest}`
}

export function manifestPath(reference: string): string {
  return `/v2/${repository}/manifests/${reference}`
}

/** Pseudo-random bytes, the same for the same seed, in the site where nginx serves them as a registry would. */
export async function writeNoise(site: string, seed: string, size: number): Promise<Blob> {
  const cipher = createCipheriv('aes-128-ctr', seed.padEnd(16, '.').slice(0, 16), Buffer.alloc(16))
  const zeros = Buffer.alloc(mebibyte)
  const hash = createHash('sha256')
  const parts: Buffer[] = []
  for (let left = size; left > 0; left -= mebibyte) {
    const part = cipher.update(zeros.subarray(0, Math.min(left, mebibyte)))
    hash.update(part)
    parts.push(part)
  }
  const digest = `sha256:${hash.digest('hex')}`
  const path = await placeOf(site, blobPath(digest))
  const file = await open(path, 'w')
  await file.writev(parts)
  await file.close()
  return { digest, size, path }
}

/** Zeros in a sparse file. */
export async function writeSparse(site: string, size: number): Promise<Blob> {
  const zeros = Buffer.alloc(16 * mebibyte)
  const hash = createHash('sha256')
  for (let left = size; left > 0; left -= zeros.length) hash.update(zeros.subarray(0, Math.min(left, zeros.length)))
  const digest = `sha256:${hash.digest('hex')}`
  const path = await placeOf(site, blobPath(digest))
  const file = await open(path, 'w')
  await file.truncate(size)
  await file.close()
  return { digest, size, path }
}

/** The manifest of an image of eight (small) layers, which the site serves by tag and by digest, its blobs too. */
export async function writeImage(site: string): Promise<Image> {
  const [config, ...layers] = await Promise.all(
    Array.from({ length: 9 }, (_, index) => writeNoise(site, `layer ${index}`, 1024)),
  )
  const descriptor = (mediaType: string, blob: Blob | undefined) => ({
    mediaType,
    digest: blob?.digest,
    size: blob?.size,
  })
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)),
  }
  const bytes = Buffer.from(JSON.stringify(manifest))
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  for (const reference of [tag, digest]) await writeFile(await placeOf(site, manifestPath(reference)), bytes)
  return { digest, bytes, blobs: config ? [config, ...layers] : layers }
}

async function placeOf(site: string, path: string): Promise<string> {
  const place = join(site, path)
  await mkdir(dirname(place), { recursive: true })
  return place
}
