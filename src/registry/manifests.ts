/** GET and HEAD of a manifest (distribution spec, end-3): HEAD differs in nothing but the body. */
import { OciError } from '../oci/errors.ts'
import { isMediaType } from '../oci/media-types.ts'
import { type Reference, parseReference } from '../oci/name.ts'
import type { Repository } from '../repository/repository.ts'
import { type Answer, bytesAnswer } from './answer.ts'
import { isHeld, notModified } from './conditional.ts'
import type { Head } from './guard.ts'
import { digestHeaders, freshnessHeaders } from './headers.ts'

/** @throws OciError MANIFEST_UNKNOWN 404, DIGEST_INVALID 400, or what the repository throws */
export async function manifestAnswer(repository: Repository, reference: string, head: Head): Promise<Answer> {
  const manifest = await repository.manifest(readReference(reference))
  if (!manifest) throw unknown(reference)
  if (!isMediaType(manifest.mediaType)) throw new TypeError('a manifest is kept with a Content-Type that is none')
  if (isHeld(head, manifest.digest)) return notModified(manifest.digest, manifest)
  const headers = { ...digestHeaders(manifest.digest), ...freshnessHeaders(manifest) }
  return bytesAnswer(200, manifest.mediaType, manifest.bytes, headers)
}

/** What cannot be a tag does not exist: 404, as the conformance suite of the spec's v1.1 wants it. */
function readReference(text: string): Reference {
  const reference = parseReference(text)
  if (reference) return reference
  if (text.includes(':')) throw new OciError('DIGEST_INVALID', `${JSON.stringify(text)} is no sha256 or sha512 digest.`)
  throw unknown(text)
}

function unknown(reference: string): OciError {
  return new OciError('MANIFEST_UNKNOWN', `There is no manifest ${JSON.stringify(reference)} in this repository.`)
}
