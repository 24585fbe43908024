/** Answers to methods that a route does not have. */
import { parseDigest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { parseReference } from '../oci/name.ts'
import type { Answer } from './answer.ts'
import { errorAnswer } from './errors.ts'
import type { RepositoryTarget, Target } from './target.ts'

const pushMethods = ['POST', 'PUT', 'PATCH', 'DELETE']

/** Where something could be pushed or deleted. */
const pushable = new Set<Target['kind']>(['manifest', 'blob', 'referrers', 'tags', 'upload'])

/**
 * 405 with Allow (RFC 9110 section 15.5.6). A push learns which line of the configuration decides where pushes go.
 * @throws OciError TAG_INVALID or DIGEST_INVALID 400 for a push to what could not exist
 */
export function notAllowed(method: string, target: Target): Answer {
  const answer = errorAnswer(new OciError('UNSUPPORTED', sentenceFor(method, target)))
  answer.headers.Allow = 'GET, HEAD'
  return answer
}

function sentenceFor(method: string, target: Target): string {
  if (!('name' in target) || !pushable.has(target.kind) || !pushMethods.includes(method))
    return 'This route has the methods GET and HEAD only.'
  checkReference(target)
  return (
    `${target.name} takes no pushes. Only hosted repositories do: those whose names match a pattern on the line "hosted:" of the ` +
    'configuration (as in `hosted: [local/**]`). Names of upstreams can never be among them.'
  )
}

function checkReference(target: RepositoryTarget): void {
  if (target.kind === 'manifest' && !parseReference(target.reference))
    throw new OciError('TAG_INVALID', `${JSON.stringify(target.reference)} is neither a tag nor a digest.`)
  if (target.kind === 'blob' && !parseDigest(target.digest))
    throw new OciError('DIGEST_INVALID', `${JSON.stringify(target.digest)} is no sha256 or sha512 digest.`)
}
