/** PUT of a manifest (distribution spec, "Pushing Manifests"; end-7): byte for byte as it came. */
import { OciError } from '../oci/errors.ts'
import { gaugeManifest } from '../oci/manifest.ts'
import { isManifestType, isMediaType } from '../oci/media-types.ts'
import type { Answer } from './answer.ts'
import type { Head } from './guard.ts'
import { locationOf } from './locations.ts'
import { type Push, shareOf } from './push.ts'
import { referenceNamed, tagNamed } from './references.ts'
import type { Named } from './target.ts'

/**
 * @throws OciError MANIFEST_INVALID (413 above 4 MiB), MANIFEST_BLOB_UNKNOWN 404, TAG_INVALID and DIGEST_INVALID 400, or what the
 * repository throws
 */
export async function putManifest(push: Push, target: { reference: string } & Named): Promise<Answer> {
  const { head, body, repository, intake } = push
  const reference = referenceNamed(target.reference)
  const tags = [...new Set(target.query.getAll('tag'))].map(tagNamed)
  const mediaType = mediaTypeOf(head)
  const incoming = { body, client: shareOf(push), gauge: gaugeManifest(mediaType) }
  const pushed = await intake.take(incoming, (bytes) => repository.putManifest(reference, bytes, mediaType, { tags }))
  return {
    status: 201,
    headers: {
      Location: locationOf(head, target, { manifest: pushed.digest }),
      'Docker-Content-Digest': pushed.digest,
      ...(pushed.subject !== undefined && { 'OCI-Subject': pushed.subject }),
      ...(tags.length > 0 && { 'OCI-Tag': pushed.tags.join(', ') }),
      'Content-Length': '0',
    },
  }
}

/** Kept with the manifest, since clients compare it: it cannot be had from the bytes, which need not say it. */
function mediaTypeOf(head: Head): string {
  const [line = '', ...more] = head.header('content-type')
  const mediaType = line.split(';')[0]?.trim() ?? ''
  if (more.length > 0 || !isMediaType(mediaType))
    throw new OciError(
      'MANIFEST_INVALID',
      'The manifest comes without a Content-Type, one and no more, that says which media type it has.',
    )
  if (isManifestType(mediaType)) return mediaType
  throw new OciError(
    'MANIFEST_INVALID',
    `The Content-Type ${mediaType} is no media type of a manifest: push it as application/vnd.<what it is>+json.`,
  )
}
