/** What a path names, where it can be a tag or a digest only, and no version range. */
import { type Digest, parseDigest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { parseReference, parseTag, type Reference, type Tag } from '../oci/name.ts'

/** @throws OciError DIGEST_INVALID or TAG_INVALID 400 */
export function referenceNamed(text: string): Reference {
  return parseReference(text) ?? (text.includes(':') ? { digest: digestNamed(text) } : { tag: tagNamed(text) })
}

/** @throws OciError DIGEST_INVALID 400 */
export function digestNamed(text: string): Digest {
  const digest = parseDigest(text)
  if (!digest) throw new OciError('DIGEST_INVALID', `${JSON.stringify(text)} is no sha256 or sha512 digest.`)
  return digest
}

/** @throws OciError TAG_INVALID 400 */
export function tagNamed(text: string): Tag {
  const tag = parseTag(text)
  if (tag) return tag
  throw new OciError(
    'TAG_INVALID',
    `${JSON.stringify(text)} is no tag: letters, digits and . _ - in it, at most 128 characters.`,
  )
}
