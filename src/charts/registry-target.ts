/** Where charts go: the push API of a registry, asked as Helm asks it, but for the blobs that are there already. */
import { parseDigest } from '../oci/digest.ts'
import { parseJson } from '../oci/json.ts'
import type { RepositoryName } from '../oci/name.ts'
import { chartLayerType, manifestType, provenanceLayerType } from './helm-push.ts'
import { type ChartTarget, type KeptChart, TargetError, type ToUpload } from './ports.ts'

export interface Question {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT'
  /** `/v2/...` */
  target: string
  headers?: Record<string, string>
  /** Asked for once. */
  body?: { size: number; bytes: () => AsyncIterable<Uint8Array> }
}

export interface Answer {
  status: number
  header(name: string): string | undefined
  body: string
}

export type Ask = (question: Question) => Promise<Answer>

export function createRegistryTarget(ask: Ask): ChartTarget {
  return {
    async kept(repository, tag) {
      const target = `/v2/${repository}/manifests/${tag}`
      const answer = await ask({ method: 'GET', target, headers: { accept: `${manifestType}, */*;q=0.1` } })
      // A version like 1.2 can be a range too, which another tag answers.
      if (answer.status === 404 || answer.header('entrepot-resolved-tag') !== undefined) return undefined
      if (answer.status !== 200) throw refusal(answer)
      return readKept(answer.body)
    },
    async push({ repository, tag, blobs, manifest }) {
      for (const blob of blobs) await upload(ask, repository, blob)
      const target = `/v2/${repository}/manifests/${tag}`
      const body = { size: manifest.length, bytes: () => once(manifest) }
      const answer = await ask({ method: 'PUT', target, headers: { 'content-type': manifestType }, body })
      if (answer.status !== 201) throw refusal(answer)
    },
  }
}

async function upload(ask: Ask, repository: RepositoryName, { digest, size, bytes }: ToUpload): Promise<void> {
  const known = await ask({ method: 'HEAD', target: `/v2/${repository}/blobs/${digest}` })
  if (known.status === 200) return
  if (known.status !== 404) throw refusal(known)
  const opened = await ask({ method: 'POST', target: `/v2/${repository}/blobs/uploads/` })
  const location = opened.header('location')
  if (opened.status !== 202 || location === undefined) throw refusal(opened)
  const { pathname, searchParams } = new URL(location, 'http://localhost')
  searchParams.set('digest', digest)
  const headers = { 'content-type': 'application/octet-stream' }
  const put = await ask({
    method: 'PUT',
    target: `${pathname}?${String(searchParams)}`,
    headers,
    body: { size, bytes },
  })
  if (put.status !== 201) throw refusal(put)
}

function readKept(body: string): KeptChart {
  const layers = layersOf(body)
  const digestOfType = (type: string) =>
    parseDigest(String(layers.find(({ mediaType }) => mediaType === type)?.['digest']))
  const [archive, provenance] = [digestOfType(chartLayerType), digestOfType(provenanceLayerType)]
  return { ...(archive && { archive }), ...(archive && provenance && { provenance }) }
}

function layersOf(body: string): Record<string, unknown>[] {
  const manifest = objectOf(body)
  return Array.isArray(manifest['layers']) ? manifest['layers'].filter(isObject) : []
}

/** With the registry's own sentence, which says what to do. */
function refusal({ status, body }: Answer): TargetError {
  const { errors } = objectOf(body)
  const [error] = Array.isArray(errors) ? errors.filter(isObject) : []
  const sentence = error?.['message']
  return new TargetError(`it cannot be pushed: ${typeof sentence === 'string' ? sentence : `the answer is ${status}`}`)
}

function objectOf(body: string): Record<string, unknown> {
  try {
    const value = parseJson(Buffer.from(body))
    return isObject(value) ? value : {}
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
