/** Digests of the OCI image spec (descriptor.md, "Digests"): the two registered algorithms that registries use. */
import { createHash, type Hash } from 'node:crypto'

/** `sha256:<64 lower-case hex>` or `sha512:<128 lower-case hex>`; only {@link parseDigest} and {@link digestOf} make one. */
export type Digest = string & { readonly __digest: unique symbol }

export type DigestAlgorithm = 'sha256' | 'sha512'

const pattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/

export function parseDigest(text: string): Digest | undefined {
  return isDigest(text) ? text : undefined
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return hashedDigest(algorithm, createHash(algorithm).update(bytes))
}

/** The digest of what a hash has been fed; ends the hash. */
export function hashedDigest(algorithm: DigestAlgorithm, hash: Hash): Digest {
  const digest = `${algorithm}:${hash.digest('hex')}`
  if (!isDigest(digest)) throw new TypeError(`the hash is not ${algorithm}`)
  return digest
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}

export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

function isDigest(text: string): text is Digest {
  return pattern.test(text)
}
