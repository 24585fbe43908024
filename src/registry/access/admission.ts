/** A repository as the visitor has it: itself, or one in which nothing is. */
import { OciError } from '../../oci/errors.ts'
import { isHosted } from '../../repository/hosted.ts'
import type { Repository } from '../../repository/repository.ts'
import { noRepository } from '../absence.ts'
import type { Action } from '../access.ts'
import type { Head } from '../guard.ts'
import type { RepositoryTarget } from '../target.ts'
import { admit, type Visitor } from './gate.ts'

/**
 * The real one is asked for nothing. Where an upstream's repository takes no push from anybody, its handler says so to all who may pull.
 * @throws OciError UNAUTHORIZED 401, DENIED 403, or the 404 of a route that would change something
 */
export function repositoryFor(
  visitor: Visitor,
  repository: Repository,
  { method }: Pick<Head, 'method'>,
  target: RepositoryTarget,
): Repository {
  const action = isHosted(repository) ? actionOf(method, target) : 'pull'
  if (admit(visitor, repository.key, action) === 'admitted') return repository
  const isRead = method === 'GET' || method === 'HEAD'
  if (!isRead || isPushRoute(repository, target)) throw absence(target, visitor)
  return emptyOneOf(repository)
}

/** Where a handler would need a hosted repository, or answer without asking one. */
function isPushRoute(repository: Repository, { kind }: RepositoryTarget): boolean {
  return kind === 'extensions' || (isHosted(repository) && (kind === 'upload' || kind === 'uploads'))
}

/** A method that the route does not have needs no more than to see that. */
function actionOf(method: string, { kind }: RepositoryTarget): Action {
  if (kind === 'uploads') return method === 'POST' ? 'push' : 'pull'
  if (kind === 'upload') return method === 'POST' || method === 'OPTIONS' ? 'pull' : 'push'
  if (kind === 'manifest' && method === 'PUT') return 'push'
  return method === 'DELETE' && (kind === 'manifest' || kind === 'blob') ? 'delete' : 'pull'
}

/** Its key is another one, since answers about the real one may be held by it. */
function emptyOneOf(real: Repository): Repository {
  const hasReferrers = isHosted(real)
  return {
    key: `absent/${real.key}`,
    manifest: async () => undefined,
    stat: async () => undefined,
    blob: async () => undefined,
    tags: async () => undefined,
    knows: async () => undefined,
    lacks: async () => true,
    kept: async () => undefined,
    firstComplete: async () => undefined,
    referrers: async () => (hasReferrers ? { items: [], cache: 'hit' } : undefined),
  }
}

/** In the words of the handlers, where they find nothing. */
function absence(target: RepositoryTarget, visitor: Visitor): OciError {
  if (target.kind === 'manifest')
    return new OciError(
      'MANIFEST_UNKNOWN',
      `There is no manifest ${JSON.stringify(target.reference)} in this repository.`,
    )
  if (target.kind === 'blob')
    return new OciError('BLOB_UNKNOWN', `There is no blob ${target.digest} in this repository.`)
  if (target.kind === 'upload')
    return new OciError('BLOB_UPLOAD_UNKNOWN', 'There is no such upload in this repository, or it has expired.')
  return noRepository(target.name, visitor)
}
