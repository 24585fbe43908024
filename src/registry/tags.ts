/** GET and HEAD of tags/list (distribution spec, end-8): the whole list of the repository, paged here. */
import { OciError } from '../oci/errors.ts'
import type { Repository } from '../repository/repository.ts'
import { type Answer, jsonAnswer } from './answer.ts'
import { freshnessHeaders } from './headers.ts'
import { nextLink, pageLimit, pageOf } from './paging.ts'
import type { Named } from './target.ts'

/** @throws OciError NAME_UNKNOWN 404, PAGINATION_NUMBER_INVALID 400, or what the repository throws */
export async function tagsAnswer(repository: Repository, target: Named): Promise<Answer> {
  const limit = pageLimit(target.query)
  const tags = await repository.tags()
  if (!tags) throw new OciError('NAME_UNKNOWN', `There is no repository ${target.name}.`)
  const after = target.query.get('last') ?? undefined
  const page = pageOf(tags.items, { after, limit, keyOf: (tag) => tag, sizeOf: (tag) => tag.length + 3 })
  const body = JSON.stringify({ name: target.name, tags: page.items })
  return jsonAnswer(200, 'application/json', body, {
    ...(page.next !== undefined && { Link: nextLink(target, { n: limit?.toString(), last: page.next }) }),
    ...freshnessHeaders(tags),
  })
}
