/** What the daemon holds, asked on its operator's socket, which needs no certificate and no user. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { JsonObject } from '../../support/kubernetes-patch.ts'

export interface HeldManifest {
  /** As the daemon says, and as its bytes have it. */
  digest: string
  manifest: JsonObject
}

/** @throws where there is none, or its bytes have another digest */
export async function heldManifest(data: string, repository: string, reference: string): Promise<HeldManifest> {
  const { digest, bytes } = await answer(data, `${repository}/manifests/${reference}`)
  if (digest !== digestOf(bytes))
    throw new Error(`the bytes of ${repository}:${reference} have not the digest ${digest}`)
  return { digest, manifest: JSON.parse(bytes.toString()) }
}

export async function heldBlob(data: string, repository: string, digest: string): Promise<Buffer> {
  return (await answer(data, `${repository}/blobs/${digest}`)).bytes
}

export async function heldTags(data: string, repository: string): Promise<string[]> {
  const { tags }: { tags: string[] } = JSON.parse((await answer(data, `${repository}/tags/list`)).bytes.toString())
  return tags
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

async function answer(data: string, path: string): Promise<{ digest: string; bytes: Buffer }> {
  const asked = request({
    socketPath: join(data, 'entrepot.sock'),
    path: `/v2/${path}`,
    headers: { host: 'localhost' },
  })
  asked.end()
  const [response] = await once(asked, 'response')
  const bytes = await buffer(response)
  if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${bytes.toString()}`)
  return { digest: String(response.headers['docker-content-digest']), bytes }
}
