/** GET and HEAD of a manifest (distribution spec, end-3): HEAD differs in nothing but the body. */
import { parseDigest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { isMediaType } from '../oci/media-types.ts'
import { type Found, readReference } from '../repository/ranges.ts'
import type { Resolution } from '../repository/resolve.ts'
import { type Answer, bytesAnswer } from './answer.ts'
import { isHeld, notModified } from './conditional.ts'
import type { Head } from './guard.ts'
import { digestHeaders, freshnessHeaders, resolvedHeaders } from './headers.ts'
import { absentAndInvalid, gone, inDistributionCodes, rangeError, unsatisfied } from './range-errors.ts'
import { profileOf } from './range-query.ts'
import type { Served } from './served.ts'
import type { Named } from './target.ts'

/** @throws OciError MANIFEST_UNKNOWN 404, DIGEST_INVALID 400, MANIFEST_INVALID 400, or what the repository throws */
export async function manifestAnswer(served: Served, reference: string, target: Named, head: Head): Promise<Answer> {
  try {
    const { manifest, resolution } = await find(served, reference, target)
    if (!manifest) throw missing(reference, target.name, resolution)
    if (!isMediaType(manifest.mediaType)) throw new TypeError('a manifest is kept with a Content-Type that is none')
    const resolved = resolvedHeaders(resolution?.tag)
    if (isHeld(head, manifest.digest)) return notModified(manifest.digest, manifest, resolved)
    const headers = { ...digestHeaders(manifest.digest), ...freshnessHeaders(manifest), ...resolved }
    return bytesAnswer(200, manifest.mediaType, manifest.bytes, headers)
  } catch (error) {
    throw inDistributionCodes(rangeError(error))
  }
}

async function find({ repository, rules, ranges }: Served, text: string, { query }: Named): Promise<Found> {
  const digest = parseDigest(text)
  if (digest) return { manifest: await repository.manifest({ digest }) }
  if (text.includes(':')) throw new OciError('DIGEST_INVALID', `${JSON.stringify(text)} is no sha256 or sha512 digest.`)
  const { tag, range } = readReference(text, rules.mode)
  if (range === undefined) return tag ? { manifest: await repository.manifest({ tag }) } : {}
  const asked = { range, profile: profileOf(query, rules) }
  if (!tag) return (await ranges.byRange(repository, asked)) ?? {}
  return ranges.byTag(repository, tag, asked).catch((error: unknown) => {
    throw absentAndInvalid(tag, asked.profile, error)
  })
}

/** What cannot be a tag does not exist: 404, as the conformance suite of the spec's v1.1 wants it. */
function missing(reference: string, name: string, resolution: Resolution | undefined): OciError {
  if (!resolution)
    return new OciError('MANIFEST_UNKNOWN', `There is no manifest ${JSON.stringify(reference)} in this repository.`)
  const { tag } = resolution
  return tag === undefined ? unsatisfied(name, resolution) : gone(name, { ...resolution, tag })
}
