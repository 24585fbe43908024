/** DELETE of tags, manifests and blobs (distribution spec, "Content Management"; end-9, 10). */
import { OciError } from '../oci/errors.ts'
import type { Answer } from './answer.ts'
import type { Push } from './push.ts'
import { digestNamed, referenceNamed } from './references.ts'

/** A tag alone, or the manifest with all of its tags. @throws OciError MANIFEST_UNKNOWN 404, TAG_INVALID and DIGEST_INVALID 400 */
export async function deleteManifest({ repository }: Push, text: string): Promise<Answer> {
  const reference = referenceNamed(text)
  const wasThere =
    'tag' in reference ? await repository.deleteTag(reference.tag) : await repository.deleteManifest(reference.digest)
  if (!wasThere)
    throw new OciError('MANIFEST_UNKNOWN', `There is no manifest ${JSON.stringify(text)} in this repository.`)
  return accepted()
}

/** @throws OciError BLOB_UNKNOWN 404, DIGEST_INVALID 400 */
export async function deleteBlob({ repository }: Push, text: string): Promise<Answer> {
  const digest = digestNamed(text)
  if (!(await repository.deleteBlob(digest)))
    throw new OciError('BLOB_UNKNOWN', `There is no blob ${digest} in this repository.`)
  return accepted()
}

function accepted(): Answer {
  return { status: 202, headers: { 'Content-Length': '0' } }
}
