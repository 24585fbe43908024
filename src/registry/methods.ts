/** Answers to methods that a route does not have. */
import { OciError } from '../oci/errors.ts'
import type { Answer } from './answer.ts'
import { errorAnswer } from './errors.ts'
import { digestNamed, referenceNamed } from './references.ts'
import type { RepositoryTarget, Target } from './target.ts'

const readMethods = ['GET', 'HEAD']
const pushMethods = ['POST', 'PUT', 'PATCH', 'DELETE']

/** Where something could be pushed or deleted. */
const pushable = new Set<Target['kind']>(['manifest', 'blob', 'referrers', 'tags', 'uploads', 'upload'])

/** 405 with Allow (RFC 9110 section 15.5.6). */
export function notAllowed(methods: readonly string[]): Answer {
  const last = methods.at(-1) ?? ''
  const list = methods.length > 1 ? `methods ${methods.slice(0, -1).join(', ')} and ${last}` : `method ${last}`
  return refusal(`This route has the ${list} only.`, methods)
}

/**
 * 405 of a repository that is not hosted. A push learns which line of the configuration decides where pushes go.
 * @throws OciError TAG_INVALID or DIGEST_INVALID 400 for a push to what could not exist
 */
export function takesNoPushes(method: string, target: RepositoryTarget): Answer {
  if (!pushable.has(target.kind) || !pushMethods.includes(method)) return notAllowed(readMethods)
  if (target.kind === 'manifest') referenceNamed(target.reference)
  if (target.kind === 'blob') digestNamed(target.digest)
  return refusal(
    `${target.name} takes no ${method === 'DELETE' ? 'deletes' : 'pushes'}. Only hosted repositories do: those whose names match a pattern on the line "hosted:" of the ` +
      'configuration (as in `hosted: [local/**]`). Names of upstreams can never be among them.',
    readMethods,
  )
}

function refusal(sentence: string, methods: readonly string[]): Answer {
  const answer = errorAnswer(new OciError('UNSUPPORTED', sentence))
  answer.headers.Allow = methods.join(', ')
  return answer
}
