/** Referrers that are as large as manifests may be, against the daemon in the memory that its launcher gives it. */
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { ociManifest } from '../../src/oci/media-types.ts'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { jsonBytes } from './house.ts'

const config = Buffer.from('{}')
const descriptor = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(config), size: config.length }
const image = { schemaVersion: 2, mediaType: ociManifest, config: descriptor, layers: [] }
const subject = digestOf(jsonBytes(image))
/** Together they are twice what the daemon's heap takes. */
const count = 64
const annotations = Object.fromEntries(Array.from({ length: 68 }, (_, index) => [`a${index}`, 'x'.repeat(60_000)]))

let daemon: Daemon

beforeAll(async () => {
  daemon = await startDaemon({ config: { dockerConfig: 'off' } })
  await send('POST', `blobs/uploads/?digest=${descriptor.digest}`, config)
  for (let at = 0; at < count; at += 1) {
    const about = { mediaType: ociManifest, digest: subject, size: 1 }
    const bytes = jsonBytes({ ...image, subject: about, annotations: { at: String(at), ...annotations } })
    await send('PUT', `manifests/${digestOf(bytes)}`, bytes)
  }
}, 120_000)

afterAll(() => daemon?.stop())

describe('referrers of 4 MiB each', { timeout: 120_000 }, () => {
  test('are told page by page, to many at the same time, and the daemon lives', async () => {
    onTestFailed(() => console.log(logTail(daemon)))
    const first = () => fetch(`${daemon.url}/v2/local/app/referrers/${subject}`).then((response) => response.status)
    const [all, ...statuses] = await Promise.all([
      walk(`/v2/local/app/referrers/${subject}`),
      ...Array.from({ length: 20 }, first),
    ])
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(new Set(all).size).toBe(count)
    expect(daemon.running()).toBe(true)
  })
})

async function send(method: string, path: string, body: Uint8Array): Promise<void> {
  const headers = { 'Content-Type': method === 'PUT' ? ociManifest : 'application/octet-stream' }
  const response = await fetch(`${daemon.url}/v2/local/app/${path}`, { method, body: Buffer.from(body), headers })
  expect([response.status, await response.text()]).toEqual([201, ''])
}

/** The digests on all pages. */
async function walk(start: string): Promise<string[]> {
  const found: string[] = []
  for (let next: string | undefined = start; next !== undefined;) {
    const response = await fetch(new URL(next, daemon.url))
    const page = (await response.json()) as { manifests: Descriptor[] }
    for (const { digest } of page.manifests) found.push(digest)
    next = /^<(.*)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
  }
  return found
}
