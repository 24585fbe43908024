/** The HTTP face of the distribution API: which handler answers which request. */
import { Hono } from 'hono'
import type { Log } from '../observe/log.ts'
import { OciError } from '../oci/errors.ts'
import type { RangeRules } from '../repository/range-rules.ts'
import type { Ranges } from '../repository/ranges.ts'
import type { Repository } from '../repository/repository.ts'
import { type Answer, type Stream, jsonAnswer } from './answer.ts'
import { blobAnswer, blobFacts } from './blobs.ts'
import { errorAnswer, renderServerError } from './errors.ts'
import { registryExtensions, repositoryExtensions } from './extensions.ts'
import { type Head, createGuard, headOfIncoming, headOfRequest } from './guard.ts'
import { logError } from './log.ts'
import { manifestAnswer } from './manifests.ts'
import { notAllowed } from './methods.ts'
import { referrersAnswer } from './referrers.ts'
import { type Bindings, connectionOf, createRespond } from './respond.ts'
import type { Served } from './served.ts'
import { tagsAnswer } from './tags.ts'
import { type RepositoryTarget, type Target, parseTarget, splitTarget } from './target.ts'
import { versionsAnswer } from './versions.ts'

export interface RegistryOptions {
  /**
   * The repository that a path names, no I/O. `namespace` is echoed as OCI-Namespace.
   * @throws OciError for names that no configuration knows
   */
  resolve: (path: string, ns: string | undefined) => { repository: Repository; rules: RangeRules; namespace?: string }
  /** What a range means: one for all that ask, so that they agree. */
  ranges: Ranges
  /** What clients may call us besides localhost. */
  names: readonly string[]
  log: Log
  /** `undefined` when requests can be served, else a sentence that says why not. */
  ready?: () => string | undefined | Promise<string | undefined>
  /** ms without a drained byte before a client is given up; default 60,000. */
  stalledAfter?: number
}

/** All of `/v2`, in both shapes of path, `/livez` and `/readyz`; anything else is 404. */
export function createRegistry(options: RegistryOptions): Hono<{ Bindings: Bindings }> {
  const { resolve, log, ready = () => undefined } = options
  const guard = createGuard(options.names)
  const respond = createRespond(options)

  /** Never throws: what fails is an answer too. */
  async function answerTo(head: Head): Promise<Answer | Stream> {
    try {
      const raw = splitTarget(head.target)
      guard(head, raw)
      return await dispatch(head, parseTarget(raw))
    } catch (error) {
      logError(log, error, { method: head.method })
      return errorAnswer(error)
    }
  }

  /** The method comes first: Hono hands a HEAD to the handler of GET, and a HEAD must open no body. */
  function dispatch(head: Head, target: Target): Promise<Answer | Stream> | Answer {
    if (target.kind === 'unknown')
      throw new OciError('NOT_FOUND', 'There is no such route here; the distribution API is below /v2/.')
    if (head.method !== 'GET' && head.method !== 'HEAD') return notAllowed(head.method, target)
    if ('name' in target) return readRepository(head, target)
    if (target.kind === 'registry-extensions') return registryExtensions()
    return target.kind === 'ready' ? readiness() : jsonAnswer(200, 'application/json', '{}')
  }

  async function readiness(): Promise<Answer> {
    const reason = await ready()
    if (reason !== undefined) throw new OciError('UNAVAILABLE', reason)
    return jsonAnswer(200, 'application/json', '{}')
  }

  async function readRepository(head: Head, target: RepositoryTarget): Promise<Answer | Stream> {
    const { repository, rules, namespace } = resolve(target.name, target.ns)
    const asked = { method: head.method, kind: target.kind, name: target.name }
    const answer = await handle(head, target, { repository, rules, ranges: options.ranges }).catch((error: unknown) => {
      logError(log, error, asked)
      const refusal = errorAnswer(error)
      // Nothing that is kept could answer.
      refusal.headers['Entrepot-Cache'] = 'miss'
      return refusal
    })
    if (namespace !== undefined) answer.headers['OCI-Namespace'] = namespace
    log.debug('request answered', { ...asked, status: answer.status, cache: answer.headers['Entrepot-Cache'] })
    return answer
  }

  const app = new Hono<{ Bindings: Bindings }>()
  app.all('*', async (context) => {
    const connection = connectionOf(context.env)
    const head = connection ? headOfIncoming(connection.incoming) : headOfRequest(context.req.raw)
    return respond(await answerTo(head), head.method, connection)
  })
  app.onError((error) => {
    logError(log, error, {})
    return renderServerError(error)
  })
  return app
}

async function handle(head: Head, target: RepositoryTarget, served: Served): Promise<Answer | Stream> {
  const { repository } = served
  if (target.kind === 'manifest') return manifestAnswer(served, target.reference, target, head)
  if (target.kind === 'tags') return tagsAnswer(served, target)
  if (target.kind === 'versions') return versionsAnswer(served, target)
  if (target.kind === 'extensions') return repositoryExtensions(target)
  if (target.kind === 'referrers') return referrersAnswer(repository, target.digest, target)
  if (target.kind === 'upload') throw new OciError('BLOB_UPLOAD_UNKNOWN', 'There is no such upload.')
  return head.method === 'HEAD'
    ? blobFacts(repository, target.digest, head)
    : blobAnswer(repository, target.digest, head)
}
