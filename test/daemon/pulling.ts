/** A client's view of answers: the status, how they came to be, and whether the bytes are whole. */
import { createHash } from 'node:crypto'

export interface Pulled {
  status: number
  /** `Entrepot-Cache`. */
  cache: string | undefined
  /** Of the bytes that came. */
  digest: string
  size: number
  /** `Docker-Content-Digest`. */
  said: string | undefined
}

/** GET of the whole. @throws where the connection breaks, or the body is not as long as its headers say */
export async function pull(url: string, init: { range?: string; signal?: AbortSignal } = {}): Promise<Pulled> {
  const headers: Record<string, string> = init.range === undefined ? {} : { Range: init.range }
  const response = await fetch(url, { headers, ...(init.signal ? { signal: init.signal } : {}) })
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of response.body ?? []) {
    hash.update(chunk)
    size += chunk.length
  }
  const header = (name: string) => response.headers.get(name) ?? undefined
  return {
    status: response.status,
    cache: header('entrepot-cache'),
    digest: `sha256:${hash.digest('hex')}`,
    size,
    said: header('docker-content-digest'),
  }
}
