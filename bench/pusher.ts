/**
 * A program: clients that push, as Helm and crane do: a HEAD, a POST and a PUT for each blob, then the manifest by its tag.
 * Takes a {@link Pushing} as JSON in its argument, prints a {@link PushingResult} as JSON.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Pool } from 'undici'
import { manifestType } from './content.ts'

export interface Pushing {
  /** Of the registry. */
  url: string
  /** The repositories are `<repository>/0`, `<repository>/1`, ... */
  repository: string
  what:
    | { kind: 'blob'; path: string; digest: string }
    /** Charts of a few sizes up to `size` bytes, 50 versions a repository, by `clients` clients at once. */
    | { kind: 'charts'; count: number; size: number; seed: string; clients: number }
}

export interface PushingResult {
  /** From the first request to the last answer. */
  seconds: number
  bytes: number
}

interface Blob {
  digest: string
  bytes: Buffer
}

const versionsEach = 50

if (import.meta.main) {
  const pushing = JSON.parse(process.argv[2] ?? '') as Pushing
  process.stdout.write(JSON.stringify(await push(pushing)))
}

async function push({ url, repository, what }: Pushing): Promise<PushingResult> {
  const registry = new Pool(url, { connections: what.kind === 'blob' ? 1 : what.clients })
  try {
    if (what.kind === 'charts') return await pushCharts(registry, repository, what)
    const blob = { digest: what.digest, bytes: await readFile(what.path) }
    const started = performance.now()
    await pushBlob(registry, `${repository}/0`, blob)
    return { seconds: (performance.now() - started) / 1000, bytes: blob.bytes.length }
  } finally {
    await registry.close()
  }
}

async function pushCharts(
  registry: Pool,
  repository: string,
  { count, size, seed, clients }: Extract<Pushing['what'], { kind: 'charts' }>,
): Promise<PushingResult> {
  const charts = Array.from({ length: count }, (_, index) => chart(`${seed} ${index}`, (size * (1 + (index % 4))) >> 2))
  const waiting = charts.entries()
  const started = performance.now()
  const client = async () => {
    for (const [index, { config, layer, manifest }] of waiting) {
      const name = `${repository}/${Math.floor(index / versionsEach)}`
      await pushBlob(registry, name, layer)
      await pushBlob(registry, name, config)
      const headers = { 'content-type': manifestType }
      const path = `/v2/${name}/manifests/1.${index % versionsEach}.0`
      await answered(registry, { method: 'PUT', path, headers, body: manifest }, 201)
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  const seconds = (performance.now() - started) / 1000
  return { seconds, bytes: charts.reduce((sum, { layer }) => sum + layer.bytes.length, 0) }
}

async function pushBlob(registry: Pool, name: string, { digest, bytes }: Blob): Promise<void> {
  // By itself undici ends a connection after a HEAD.
  await answered(registry, { method: 'HEAD', path: `/v2/${name}/blobs/${digest}`, reset: false }, 404)
  const place = await answered(registry, { method: 'POST', path: `/v2/${name}/blobs/uploads/` }, 202)
  const { pathname, searchParams } = new URL(place, 'http://registry')
  searchParams.set('digest', digest)
  const headers = { 'content-type': 'application/octet-stream' }
  await answered(registry, { method: 'PUT', path: `${pathname}?${searchParams.toString()}`, headers, body: bytes }, 201)
}

/** @returns its Location @throws where it is answered with another status */
async function answered(
  registry: Pool,
  request: Pick<Parameters<Pool['request']>[0], 'method' | 'path' | 'headers' | 'body' | 'reset'>,
  status: number,
): Promise<string> {
  const response = await registry.request(request)
  const text = await response.body.text()
  if (response.statusCode !== status)
    throw new Error(`${request.method} ${request.path} was answered with ${response.statusCode}: ${text}`)
  return String(response.headers['location'])
}

function chart(seed: string, size: number): { config: Blob; layer: Blob; manifest: Buffer } {
  const layer = blobOf(noise(seed, size))
  const config = blobOf(Buffer.from(JSON.stringify({ name: 'app', version: seed, description: 'x'.repeat(400) })))
  const descriptor = (mediaType: string, { digest, bytes }: Blob) => ({ mediaType, digest, size: bytes.length })
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptor('application/vnd.cncf.helm.config.v1+json', config),
    layers: [descriptor('application/vnd.cncf.helm.chart.content.v1.tar+gzip', layer)],
  }
  return { config, layer, manifest: Buffer.from(JSON.stringify(manifest)) }
}

function blobOf(bytes: Buffer): Blob {
  return { digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, bytes }
}

function noise(seed: string, size: number): Buffer {
  return createHash('shake256', { outputLength: size }).update(seed).digest()
}
