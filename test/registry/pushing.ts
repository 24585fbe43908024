/** The registry behind a real server, over hosted repositories in memory, and pushes to it. */
import { OciError } from '../../src/oci/errors.ts'
import type { RegistryOptions } from '../../src/registry/registry.ts'
import { createMemoryHosted, type MemoryHosted } from './memory-hosted.ts'
import { exchange, type RawAnswer, requestText, serve } from './serve.ts'

export interface Pushing {
  port: number
  /** `team/app`. */
  hosted: MemoryHosted
  logged: string[]
  send: (method: string, target: string, options?: SendOptions) => Promise<RawAnswer>
}

interface SendOptions {
  headers?: Record<string, string>
  body?: Uint8Array
}

export interface PushingOptions extends Partial<Omit<RegistryOptions, 'resolve'>> {
  /** `<origin>/<name> <digest>` of blobs that can be mounted. */
  mountable?: string[]
}

const rules = { mode: 'on', profile: 'image' } as const

export async function openPushing({ mountable = [], ...options }: PushingOptions = {}): Promise<Pushing> {
  const hosted = createMemoryHosted('hosted/team/app', new Set(mountable))
  const other = createMemoryHosted('hosted/team/other')
  const resolve = (path: string) => {
    if (path.endsWith('team/app')) return { repository: hosted, rules }
    if (path.endsWith('team/other')) return { repository: other, rules }
    throw new OciError('NAME_UNKNOWN', `There is no ${path}.`)
  }
  const { port, logged } = await serve({}, { resolve, ...options })
  return {
    port,
    hosted,
    logged,
    send(method, target, { headers = {}, body = Buffer.alloc(0) } = {}) {
      const length = { 'Content-Length': String(body.length) }
      return exchange(port, Buffer.concat([Buffer.from(requestText(method, target, { ...length, ...headers })), body]))
    },
  }
}

/** The code of the first error. */
export function codeOf({ body }: RawAnswer): string {
  return JSON.parse(body.toString()).errors[0].code
}

export const uploads = '/v2/team/app/blobs/uploads/'
/** The first that is opened. */
export const session = `${uploads}session-1`

/** With a session that is open. */
export async function started(options?: PushingOptions): Promise<Pushing> {
  const pushing = await openPushing(options)
  await pushing.send('POST', uploads)
  return pushing
}

/** What an answer says of a session or a blob. */
export function shape({ status, headers }: RawAnswer) {
  return { status, location: headers.location, range: headers.range }
}
