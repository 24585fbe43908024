/** GET and HEAD of referrers (distribution spec, end-12). */
import type { Descriptor } from '../oci/descriptor.ts'
import { OciError } from '../oci/errors.ts'
import { ociIndex } from '../oci/media-types.ts'
import type { Repository } from '../repository/repository.ts'
import { type Answer, jsonAnswer } from './answer.ts'
import { freshnessHeaders } from './headers.ts'
import { nextLink, pageOf } from './paging.ts'
import { digestNamed } from './references.ts'
import type { Named } from './target.ts'

interface Written {
  key: string
  json: string
}

/**
 * @throws OciError DIGEST_INVALID 400; NOT_FOUND 404 where the origin has no such API, so that clients turn to the tag schema
 * (NAME_UNKNOWN would be an error to oras)
 */
export async function referrersAnswer(repository: Repository, text: string, target: Named): Promise<Answer> {
  const referrers = await repository.referrers(digestNamed(text))
  if (!referrers) throw new OciError('NOT_FOUND', `The origin of ${target.name} has no referrers API.`)
  const types = target.query.getAll('artifactType').filter((type) => type !== '')
  const wanted = types.length === 0 ? referrers.items : referrers.items.filter((item) => isOneOf(item, types))
  const after = target.query.get('last') ?? undefined
  const page = pageOf(inPages(wanted), {
    after,
    keyOf: (item) => item.key,
    sizeOf: (item) => Buffer.byteLength(item.json) + 1,
  })
  return jsonAnswer(200, ociIndex, indexOf(page.items), {
    ...(types.length > 0 && { 'OCI-Filters-Applied': 'artifactType' }),
    ...(page.next !== undefined && { Link: nextLink(target, { artifactType: types, last: page.next }) }),
    ...freshnessHeaders(referrers),
  })
}

/** In the order of digests, which stays when the list changes between two pages; the digest is the key to go on after. */
function inPages(items: readonly Descriptor[]): Written[] {
  const written = items.map((item) => ({ key: item.digest, json: JSON.stringify(item) }))
  return written.toSorted((one, other) => (one.key < other.key ? -1 : Number(one.key > other.key)))
}

function isOneOf(item: Descriptor, types: string[]): boolean {
  return item.artifactType !== undefined && types.includes(item.artifactType)
}

function indexOf(items: Written[]): string {
  return `{"schemaVersion":2,"mediaType":"${ociIndex}","manifests":[${items.map((item) => item.json).join(',')}]}`
}
