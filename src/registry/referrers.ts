/** GET and HEAD of referrers (distribution spec, end-12): a page is read and written at a time, however many there are. */
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { ociIndex } from '../oci/media-types.ts'
import { type Answer, bytesAnswer } from './answer.ts'
import { freshnessHeaders } from './headers.ts'
import { nextLink, pageLimit, readPage } from './paging.ts'
import { digestNamed } from './references.ts'
import type { Served } from './served.ts'
import { createSharedBytes } from './shared-bytes.ts'
import type { Named } from './target.ts'
import { createTurns } from './turns.ts'

/** Pages that are read at a time, in all and for one client: each may take some times 4 MiB of memory until it is whole. */
const most = 4
const share = 2

/**
 * @throws OciError DIGEST_INVALID, PAGINATION_NUMBER_INVALID 400; NOT_FOUND 404 where the origin has no such API, so that clients turn to
 * the tag schema (NAME_UNKNOWN would be an error to oras)
 */
export type ReferrersAnswer = (served: Served, text: string, target: Named) => Promise<Answer>

export function createReferrersAnswer(): ReferrersAnswer {
  const turns = createTurns({ most, share })
  const shared = createSharedBytes()

  return async function answer({ repository, client }, text, target) {
    const types = target.query.getAll('artifactType').filter((type) => type !== '')
    const limit = pageLimit(target.query)
    const referrers = await repository.referrers(digestNamed(text), lastOf(target.query))
    if (!referrers) throw new OciError('NOT_FOUND', `The origin of ${target.name} has no referrers API.`)
    await turns.enter(client.name)
    try {
      const page = await readPage(referrers.items, { limit, keyOf: ({ digest }) => digest, write: writing(types) })
      const next = page.next !== undefined && { n: limit?.toString(), artifactType: types, last: page.next }
      return bytesAnswer(200, ociIndex, shared(indexOf(page.items)), {
        ...(types.length > 0 && { 'OCI-Filters-Applied': 'artifactType' }),
        ...(next && { Link: nextLink(target, next) }),
        ...freshnessHeaders(referrers),
      })
    } finally {
      turns.leave(client.name)
    }
  }
}

/** The digest that the page before ended with. */
function lastOf(query: URLSearchParams): Digest | undefined {
  const text = query.get('last') ?? ''
  return text === '' ? undefined : digestNamed(text)
}

function writing(types: string[]) {
  const isWanted = ({ artifactType }: Descriptor) =>
    types.length === 0 || (artifactType !== undefined && types.includes(artifactType))
  return (item: Descriptor) => ({ bytes: Buffer.from(JSON.stringify(item)), isWanted: isWanted(item) })
}

function indexOf(items: Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from(`{"schemaVersion":2,"mediaType":"${ociIndex}","manifests":[`)]
  for (const [index, item] of items.entries()) parts.push(index === 0 ? none : comma, item)
  return Buffer.concat([...parts, Buffer.from(']}')])
}

const none = Buffer.alloc(0)
const comma = Buffer.from(',')
