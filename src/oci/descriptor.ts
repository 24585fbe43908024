import type { Digest } from './digest.ts'

/** A content descriptor of the image spec; only the members that a registry reads. `size` in bytes. */
export interface Descriptor {
  mediaType: string
  digest: Digest
  size: number
  artifactType?: string
  annotations?: Record<string, string>
  platform?: { os: string; architecture: string; variant?: string }
}
