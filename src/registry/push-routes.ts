/** Which handler takes which method of a hosted repository. */
import { OciError } from '../oci/errors.ts'
import type { Answer } from './answer.ts'
import { deleteBlob, deleteManifest } from './deletes.ts'
import type { Push } from './push.ts'
import { putManifest } from './put-manifest.ts'
import type { RepositoryTarget } from './target.ts'
import { appendChunk, cancelUpload, finishUpload, startUpload, uploadState } from './uploads.ts'

/** The methods that a route of a hosted repository has, as `Allow` writes them. */
export function methodsOf({ kind }: RepositoryTarget): string[] {
  if (kind === 'uploads') return ['POST']
  if (kind === 'upload') return ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE']
  if (kind === 'manifest') return ['GET', 'HEAD', 'PUT', 'DELETE']
  return kind === 'blob' ? ['GET', 'HEAD', 'DELETE'] : ['GET', 'HEAD']
}

/** Also the state of an upload, since only who pushes knows of one. @throws OciError as the handlers do */
export async function pushAnswer(push: Push, target: RepositoryTarget): Promise<Answer> {
  const { method } = push.head
  if (target.kind === 'uploads') return startUpload(push, target)
  if (target.kind === 'blob') return deleteBlob(push, target.digest)
  if (target.kind === 'manifest')
    return method === 'PUT' ? putManifest(push, target) : deleteManifest(push, target.reference)
  if (target.kind !== 'upload') throw new OciError('UNSUPPORTED', 'This route takes no pushes.')
  if (method === 'PATCH') return appendChunk(push, target)
  if (method === 'PUT') return finishUpload(push, target)
  return method === 'DELETE' ? cancelUpload(push, target) : uploadState(push, target)
}
