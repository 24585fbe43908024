/** GET and HEAD of tags/list (distribution spec, end-8): the whole list of the repository, or what matches a range, paged here. */
import { checkRange } from '../repository/ranges.ts'
import type { Asked } from '../repository/resolve.ts'
import { noRepository } from './absence.ts'
import { type Answer, jsonAnswer } from './answer.ts'
import { freshnessHeaders } from './headers.ts'
import { nextLink, pageLimit, pageOf } from './paging.ts'
import { inDistributionCodes, rangeError } from './range-errors.ts'
import { askedBy } from './range-query.ts'
import type { Served } from './served.ts'
import type { Named } from './target.ts'

/** @throws OciError NAME_UNKNOWN 404, PAGINATION_NUMBER_INVALID 400, MANIFEST_INVALID 400, or what the repository throws */
export async function tagsAnswer(served: Served, target: Named): Promise<Answer> {
  try {
    const limit = pageLimit(target.query)
    const asked = askedBy(target.query, served.rules)
    if (asked) checkRange(asked)
    return await listed(served, target, limit, asked)
  } catch (error) {
    throw inDistributionCodes(rangeError(error))
  }
}

async function listed(
  { repository, ranges, client }: Served,
  target: Named,
  limit: number | undefined,
  asked: Asked | undefined,
): Promise<Answer> {
  const { query } = target
  const tags = await repository.tags()
  if (!tags) throw noRepository(target.name, client)
  const matching = asked && new Set<string>(ranges.candidates(tags, asked))
  const items = matching ? tags.items.filter((tag) => matching.has(tag)) : tags.items
  const after = query.get('last') ?? undefined
  const page = pageOf(items, { after, limit, keyOf: (tag) => tag, sizeOf: (tag) => tag.length + 3 })
  const body = JSON.stringify({ name: target.name, tags: page.items })
  const asking = { range: query.get('range') ?? undefined, profile: query.get('profile') ?? undefined }
  return jsonAnswer(200, 'application/json', body, {
    ...(page.next !== undefined && { Link: nextLink(target, { n: limit?.toString(), last: page.next, ...asking }) }),
    ...freshnessHeaders(tags),
  })
}
