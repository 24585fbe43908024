/**
 * A Kubernetes API server of a test: in memory, on a loopback socket, with what Helm 3 and 4 ask of a cluster. It tells its version
 * and types, lets create, get, list (by label), replace, patch and delete objects, and counts what it is asked. It has no
 * controllers, no validation, no watches and no authentication: an object is what was last written, and nothing ever runs.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { parse } from 'yaml'
import { isObject, type JsonObject, mergePatch, strategicMergePatch } from './kubernetes-patch.ts'
import { protobuf, secretOf } from './kubernetes-protobuf.ts'
import { createDiscovery, type ResourceType, resourceTypes } from './kubernetes-types.ts'

interface KubernetesCall {
  method: string
  /** The request target as sent: path and query. */
  url: string
}

export interface KubernetesApi {
  /** `http://127.0.0.1:port`. */
  readonly url: string
  /** Every request since the start, in order. */
  readonly calls: KubernetesCall[]
  count(method: string, path: RegExp): number
  /** The objects of one type, as `secrets` or `deployments`, of all namespaces. */
  objects(resource: string): JsonObject[]
  /** A kubeconfig whose only context is this server. */
  writeKubeconfig(file: string): Promise<void>
  /** Ends every connection at once. Idempotent. */
  stop(): Promise<void>
}

interface Answer {
  status: number
  body: JsonObject
}

interface Question {
  method: string
  type: ResourceType
  namespace: string
  /** Absent for the collection. */
  name: string | undefined
  query: URLSearchParams
  /** Of the body, without parameters. */
  mediaType: string
  body: JsonObject
}

/** Objects by `resource/namespace/name`; the order is that of their creation. */
type Objects = Map<string, JsonObject>

/** @param types what the cluster knows; without one of them, Helm refuses a chart that holds it */
export async function startKubernetesApi(types: ResourceType[] = resourceTypes): Promise<KubernetesApi> {
  const objects: Objects = new Map()
  const calls: KubernetesCall[] = []
  const discover = createDiscovery(types)
  const store = createStore(objects)
  const answerTo = async (request: IncomingMessage): Promise<Answer> => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const document = request.method === 'GET' ? discover(url.pathname) : undefined
    if (document) return { status: 200, body: document }
    const question = await questionOf(request, url, types)
    return question ? store(question) : failure(404, 'NotFound', `there is no ${url.pathname}`)
  }
  const server = createServer((request, response) => {
    calls.push({ method: request.method ?? '', url: request.url ?? '' })
    void answerTo(request)
      .catch((error: unknown) => failure(400, 'BadRequest', String(error)))
      .then((answer) => send(response, answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  return {
    url,
    calls,
    count: (method, path) => calls.filter((call) => call.method === method && path.test(call.url)).length,
    objects: (resource) => [...objects].flatMap(([key, object]) => (key.startsWith(`${resource}/`) ? [object] : [])),
    writeKubeconfig: (file) => writeFile(file, kubeconfig(url), { mode: 0o600 }),
    async stop() {
      if (!server.listening) return
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function createStore(objects: Objects): (question: Question) => Answer {
  let revision = 0
  const put = (key: string, { type, namespace }: Question, status: number, object: JsonObject): Answer => {
    const before = metadataOf(objects.get(key) ?? {})
    revision += 1
    const metadata = {
      ...metadataOf(object),
      ...(type.namespaced ? { namespace } : {}),
      uid: before['uid'] ?? randomUUID(),
      creationTimestamp: before['creationTimestamp'] ?? new Date().toISOString().replace(/\.\d+/, ''),
      resourceVersion: String(revision),
    }
    const kept = { apiVersion: groupVersion(type), kind: type.kind, ...object, metadata }
    objects.set(key, kept)
    return { status, body: kept }
  }
  return (question) => {
    const { method, type, namespace, name, body } = question
    const key = `${type.resource}/${namespace}/${name ?? String(metadataOf(body)['name'])}`
    const existing = objects.get(key)
    if (name === undefined && method === 'GET') return list(objects, question, revision)
    if (method === 'POST') {
      return existing ? failure(409, 'AlreadyExists', `${key} already exists`) : put(key, question, 201, body)
    }
    if (method === 'PATCH' && question.mediaType === 'application/apply-patch+yaml') {
      // One field manager owns all, so what it applies is the object.
      return put(key, question, existing ? 200 : 201, body)
    }
    if (!existing) return failure(404, 'NotFound', `${type.resource} "${name}" not found`)
    if (method === 'GET') return { status: 200, body: existing }
    if (method === 'PUT') return put(key, question, 200, body)
    if (method === 'PATCH') {
      const patch = question.mediaType === 'application/strategic-merge-patch+json' ? strategicMergePatch : mergePatch
      return put(key, question, 200, patch(existing, body))
    }
    if (method !== 'DELETE') return failure(405, 'MethodNotAllowed', `no ${method} here`)
    objects.delete(key)
    return { status: 200, body: { kind: 'Status', apiVersion: 'v1', status: 'Success' } }
  }
}

function list(objects: Objects, { type, namespace, query }: Question, revision: number): Answer {
  const prefix = namespace === '' ? `${type.resource}/` : `${type.resource}/${namespace}/`
  const wanted = (query.get('labelSelector') ?? '').split(',').filter((term) => term !== '')
  const items = [...objects]
    .filter(([key]) => key.startsWith(prefix))
    .map(([, object]) => object)
    .filter((object) => wanted.every((term) => hasLabel(object, term)))
  const head = { kind: `${type.kind}List`, apiVersion: groupVersion(type) }
  return { status: 200, body: { ...head, metadata: { resourceVersion: String(revision) }, items } }
}

/** @throws for a selector that is no `key=value`, `key==value`, `key!=value` or `key` */
function hasLabel(object: JsonObject, term: string): boolean {
  const [, key = '', operator = '', value] = /^([\w./-]+)(?:(==?|!=)([\w.-]*))?$/.exec(term) ?? []
  if (key === '') throw new Error(`the label selector ${term} is not known here`)
  const labels = metadataOf(object)['labels']
  const label = isObject(labels) ? labels[key] : undefined
  if (operator === '') return label !== undefined
  return (label === value) === (operator !== '!=')
}

/** `undefined` when the path names no type that this cluster knows. */
async function questionOf(request: IncomingMessage, url: URL, types: ResourceType[]): Promise<Question | undefined> {
  const path = /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+)(?=\/))?\/([^/]+)(?:\/([^/]+))?$/
  const [, group = '', version, namespace = '', resource, name] = path.exec(url.pathname) ?? []
  const type = types.find((known) => known.group === group && known.version === version && known.resource === resource)
  if (!type) return undefined
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const method = request.method ?? ''
  const mediaType = (request.headers['content-type'] ?? '').split(';')[0] ?? ''
  const body = method === 'DELETE' ? {} : objectIn(Buffer.concat(chunks), mediaType)
  return { method, type, namespace, name, query: url.searchParams, mediaType, body }
}

/** JSON is YAML, which is what an apply patch may be. */
function objectIn(bytes: Buffer, mediaType: string): JsonObject {
  if (mediaType === protobuf) return secretOf(bytes)
  const body: unknown = parse(bytes.toString())
  return isObject(body) ? body : {}
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(body))
}

function failure(code: number, reason: string, message: string): Answer {
  return { status: code, body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code } }
}

function metadataOf(object: JsonObject): JsonObject {
  return isObject(object['metadata']) ? object['metadata'] : {}
}

function groupVersion({ group, version }: ResourceType): string {
  return group === '' ? version : `${group}/${version}`
}

function kubeconfig(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server } }],
    users: [{ name: 'test', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
    'current-context': 'test',
  })
}
