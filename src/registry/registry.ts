/** The HTTP face of the distribution API: which handler answers which request. */
import { Hono } from 'hono'
import type { Log } from '../observe/log.ts'
import { OciError } from '../oci/errors.ts'
import { isHosted } from '../repository/hosted.ts'
import type { Ranges } from '../repository/ranges.ts'
import { repositoryFor } from './access/admission.ts'
import { enter, type Gate, openGate, refusalOf, type Visitor } from './access/gate.ts'
import { type Answer, type Stream, jsonAnswer } from './answer.ts'
import { blobAnswer, blobFacts } from './blobs.ts'
import { type Body, bodyOfIncoming, bodyOfRequest, type Pace } from './body.ts'
import { errorAnswer, renderServerError } from './errors.ts'
import { registryExtensions, repositoryExtensions } from './extensions.ts'
import { type Head, createGuard, headOfIncoming, headOfRequest } from './guard.ts'
import { logError } from './log.ts'
import { createManifestIntake, type IntakeOptions } from './manifest-intake.ts'
import { manifestAnswer } from './manifests.ts'
import { notAllowed, takesNoPushes } from './methods.ts'
import { methodsOf, pushAnswer } from './push-routes.ts'
import { createReferrersAnswer, type ReferrersAnswer } from './referrers.ts'
import type { Connection } from './node-body.ts'
import { type Bindings, connectionOf, createRespond } from './respond.ts'
import type { Resolve, Served } from './served.ts'
import { tagsAnswer } from './tags.ts'
import { type RepositoryTarget, type Target, parseTarget, splitTarget } from './target.ts'
import { versionsAnswer } from './versions.ts'

export interface RegistryOptions {
  resolve: Resolve
  /** What a range means: one for all that ask, so that they agree. */
  ranges: Ranges
  /** What clients may call us besides localhost. */
  names: readonly string[]
  log: Log
  /** `undefined` when requests can be served, else a sentence that says why not. */
  ready?: () => string | undefined | Promise<string | undefined>
  /** ms without a drained byte before a client is given up; default 60,000. */
  stalledAfter?: number
  /** ms for which a client that is refused while it still sends may read why; default 1,000. */
  lingerFor?: number
  /** How fast bodies must come, and how many large manifests at a time. */
  pace?: Pace
  intake?: IntakeOptions
  /** Who is let near; everybody by default. */
  gate?: Gate
}

/** All of `/v2`, in both shapes of path, `/livez` and `/readyz`; anything else is 404. */
export function createRegistry(options: RegistryOptions): Hono<{ Bindings: Bindings }> {
  const { resolve, ranges, log, ready = () => undefined, gate = openGate } = options
  const guard = createGuard(options.names)
  const respond = createRespond(options)
  const intake = createManifestIntake(options.intake)
  const referrers = createReferrersAnswer()

  /** Never throws: what fails is an answer too. */
  async function answerTo({ head, body }: Incoming): Promise<Answer | Stream> {
    try {
      const raw = splitTarget(head.target)
      guard(head, raw)
      return await dispatch(head, parseTarget(raw), body)
    } catch (error) {
      logError(log, error, { method: head.method })
      return errorAnswer(error)
    }
  }

  /** The method comes first: Hono hands a HEAD to the handler of GET, and a HEAD must open no body. */
  async function dispatch(head: Head, target: Target, body: () => Body): Promise<Answer | Stream> {
    if (target.kind === 'unknown')
      throw new OciError('NOT_FOUND', 'There is no such route here; the distribution API is below /v2/.')
    if ('name' in target) return askRepository(head, target, body)
    if (target.kind === 'base' || target.kind === 'registry-extensions') enter(await gate.visitor(head))
    if (!isRead(head)) return notAllowed(['GET', 'HEAD'])
    if (target.kind === 'registry-extensions') return registryExtensions()
    return target.kind === 'ready' ? readiness() : jsonAnswer(200, 'application/json', '{}')
  }

  async function readiness(): Promise<Answer> {
    const reason = await ready()
    if (reason !== undefined) throw new OciError('UNAVAILABLE', reason)
    return jsonAnswer(200, 'application/json', '{}')
  }

  function resolveFor(visitor: Visitor, { name, ns }: RepositoryTarget): ReturnType<Resolve> {
    try {
      return resolve(name, ns)
    } catch (error) {
      throw refusalOf(visitor, error)
    }
  }

  async function askRepository(head: Head, target: RepositoryTarget, body: () => Body): Promise<Answer | Stream> {
    const visitor = await gate.visitor(head)
    const { repository: real, rules, namespace } = resolveFor(visitor, target)
    const asked = { method: head.method, kind: target.kind, name: target.name }
    const handleAs = async () => {
      const repository = repositoryFor(visitor, real, head, target)
      return handle(head, target, { repository, rules, ranges, resolve, client: visitor }, body)
    }
    const answer = await handleAs().catch((error: unknown) => {
      // Like that for a name that means nothing here, without a header that tells one from the other.
      if (error instanceof OciError && error.status === 401) throw error
      logError(log, error, asked)
      const refusal = errorAnswer(error)
      // Nothing that is kept could answer.
      if (isRead(head)) refusal.headers['Entrepot-Cache'] = 'miss'
      return refusal
    })
    if (namespace !== undefined) answer.headers['OCI-Namespace'] = namespace
    log.debug('request answered', { ...asked, status: answer.status, cache: answer.headers['Entrepot-Cache'] })
    return answer
  }

  async function handle(head: Head, target: RepositoryTarget, served: Served, body: () => Body) {
    const { repository } = served
    if (!isHosted(repository))
      return isRead(head) ? read(head, target, served, referrers) : takesNoPushes(head.method, target)
    const methods = methodsOf(target)
    if (!methods.includes(head.method)) return notAllowed(methods)
    if (isRead(head) && target.kind !== 'upload') return read(head, target, served, referrers)
    return pushAnswer({ head, body: body(), repository, served, intake }, target)
  }

  const app = new Hono<{ Bindings: Bindings }>()
  app.all('*', async (context) => {
    const connection = connectionOf(context.env)
    const request = connection ? overConnection(connection, options.pace) : inCall(context.req.raw)
    return respond(await answerTo(request), request.head.method, connection)
  })
  app.onError((error) => {
    logError(log, error, {})
    return renderServerError(error)
  })
  return app
}

/** What there is of a request; its body only for who asks for it. */
interface Incoming {
  head: Head
  body: () => Body
}

function overConnection({ incoming }: Connection, pace: Pace | undefined): Incoming {
  const head = headOfIncoming(incoming)
  return { head, body: () => bodyOfIncoming(head, incoming, pace) }
}

function inCall(request: Request): Incoming {
  const head = headOfRequest(request)
  return { head, body: () => bodyOfRequest(head, request) }
}

function isRead({ method }: Head): boolean {
  return method === 'GET' || method === 'HEAD'
}

async function read(
  head: Head,
  target: RepositoryTarget,
  served: Served,
  referrers: ReferrersAnswer,
): Promise<Answer | Stream> {
  const { repository } = served
  if (target.kind === 'manifest') return manifestAnswer(served, target.reference, target, head)
  if (target.kind === 'tags') return tagsAnswer(served, target)
  if (target.kind === 'versions') return versionsAnswer(served, target)
  if (target.kind === 'extensions') return repositoryExtensions(target)
  if (target.kind === 'referrers') return referrers(served, target.digest, target)
  if (target.kind === 'upload' || target.kind === 'uploads')
    throw new OciError('BLOB_UPLOAD_UNKNOWN', 'There is no such upload in this repository, or it has expired.')
  return head.method === 'HEAD'
    ? blobFacts(repository, target.digest, head)
    : blobAnswer(repository, target.digest, head)
}
