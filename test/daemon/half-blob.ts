/** A download that is under way for as long as a test wants it to be. */
import { noise } from '../crash/content.ts'
import type { ScriptedRegistry } from '../support/scripted-registry.ts'

interface HalfBlob {
  digest: string
  size: number
  /** Of the daemon that has this registry as `up.example`. */
  path: string
  sendRest: () => void
}

const size = 4 * 1024 * 1024

/** A blob of which the upstream sends the first half, and the rest when it is told to. */
export function putHalf(upstream: ScriptedRegistry): HalfBlob {
  const bytes = noise('half', size)
  const digest = upstream.putBlob('app', bytes)
  const rest = Promise.withResolvers<void>()
  upstream.misbehave({ method: 'GET', path: /blobs/ }, async (_, response) => {
    response.writeHead(200, { 'Content-Length': size, 'Content-Type': 'application/octet-stream' })
    response.write(bytes.subarray(0, size / 2))
    await rest.promise
    response.end(bytes.subarray(size / 2))
  })
  return { digest, size, sendRest: rest.resolve, path: `/v2/up.example/app/blobs/${digest}` }
}
