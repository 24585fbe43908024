/** A client that pushes to a daemon and pulls again, by the distribution API. */
import type { Digest } from '../../src/oci/digest.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { imageType } from './content.ts'

/** `undefined` where no answer came: the daemon died over it. */
type Status = number | undefined

export interface Pusher {
  /** POST, PATCH and PUT; the status of the last that was answered. */
  blob(bytes: Uint8Array): Promise<Status>
  manifest(reference: string, text: string): Promise<Status>
  /** @param path below the repository */
  delete(path: string): Promise<Status>
  cancel(location: string): Promise<Status>
  tags(): Promise<string[]>
  /** What a session has, as `Range` says it: 0 where there is none. */
  arrived(location: string): Promise<number>
  finish(location: string, rest: Uint8Array, digest: Digest): Promise<Status>
  /** Where the last session that was begun is. */
  location(): string | undefined
}

/** @param url of the repository: `http://127.0.0.1:port/v2/local/app` */
export function createPusher(url: string): Pusher {
  let location: string | undefined

  async function send(target: string, init: RequestInit): Promise<Response | undefined> {
    const response = await fetch(new URL(target, `${url}/`), init).catch(() => undefined)
    await response?.clone().bytes()
    return response
  }
  const withQuery = (target: string, query: string) => `${target}${target.includes('?') ? '&' : '?'}${query}`

  async function finish(at: string, rest: Uint8Array, digest: Digest): Promise<Status> {
    const target = withQuery(at, `digest=${encodeURIComponent(digest)}`)
    return (await send(target, { method: 'PUT', body: Buffer.from(rest) }))?.status
  }

  return {
    finish,
    location: () => location,
    async blob(bytes) {
      const begun = await send(`${url}/blobs/uploads/`, { method: 'POST' })
      location = begun?.headers.get('location') ?? undefined
      if (begun?.status !== 202 || location === undefined) return begun?.status
      const half = Math.ceil(bytes.length / 2)
      const body = Buffer.from(bytes.subarray(0, half))
      const patched = await send(location, { method: 'PATCH', body, headers: { 'Content-Range': `0-${half - 1}` } })
      if (patched?.status !== 202) return patched?.status
      return finish(patched.headers.get('location') ?? location, bytes.subarray(half), digestOf(bytes))
    },
    async manifest(reference, text) {
      const headers = { 'Content-Type': imageType }
      return (await send(`${url}/manifests/${reference}`, { method: 'PUT', body: text, headers }))?.status
    },
    delete: async (path) => (await send(`${url}/${path}`, { method: 'DELETE' }))?.status,
    cancel: async (at) => (await send(at, { method: 'DELETE' }))?.status,
    async tags() {
      const response = await fetch(`${url}/tags/list`)
      if (response.status === 404) return []
      const { tags } = (await response.json()) as { tags: string[] }
      return tags
    },
    async arrived(at) {
      const response = await send(at, { method: 'GET' })
      const last = /^0-(\d+)$/.exec(response?.headers.get('range') ?? '')?.[1]
      return response?.status === 204 && last !== undefined && last !== '0' ? Number(last) + 1 : 0
    },
  }
}
