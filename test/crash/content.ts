/** Bytes that look random, the same for the same seed, and manifests over them. */
import { createCipheriv, createHash } from 'node:crypto'
import type { Digest } from '../../src/oci/digest.ts'

export const imageType = 'application/vnd.oci.image.manifest.v1+json'

/** Of exactly `size` bytes. */
export function noise(seed: string, size: number): Buffer {
  const key = createHash('sha256').update(seed).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size))
}

/** An image manifest with these layers; `padding` bytes of annotations make it larger. */
export function imageManifest(layers: { digest: Digest; size: number }[], padding = 0): string {
  const [config = { digest: `sha256:${'0'.repeat(64)}` as Digest, size: 2 }] = layers
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: imageType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer })),
    annotations: { padding: noise(`padding ${padding}`, padding).toString('base64').slice(0, padding) },
  })
}
