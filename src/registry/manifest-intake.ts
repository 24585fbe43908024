/** Where pushed manifests are in memory: few large ones at a time, or a thousand clients could fill it. */
import { OciError } from '../oci/errors.ts'
import { maxManifestBytes } from '../oci/manifest.ts'
import type { Body } from './body.ts'

export interface ManifestIntake {
  /** @throws OciError MANIFEST_INVALID: 413 above 4 MiB, 408 where it does not come in time */
  take<T>(body: Body, use: (bytes: Uint8Array) => Promise<T>): Promise<T>
}

export interface IntakeOptions {
  /** Large ones at a time; default 16. */
  most?: number
  /** Bytes up to which a manifest is small; default 64 KiB. */
  small?: number
  /** ms that a large one has to arrive, once it is its turn; default 60,000. */
  within?: number
}

export function createManifestIntake(options: IntakeOptions = {}): ManifestIntake {
  const { most = 16, small = 64 * 1024, within = 60_000 } = options
  const waiting: (() => void)[] = []
  let free = most

  async function turn(): Promise<void> {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
  }

  function leave(): void {
    const next = waiting.shift()
    if (next) next()
    else free += 1
  }

  return {
    async take(body, use) {
      if (body.length !== undefined && body.length > maxManifestBytes) throw tooLarge()
      const isSmall = body.length !== undefined && body.length <= small
      if (isSmall) return use(await collect(body, Number.POSITIVE_INFINITY))
      await turn()
      try {
        return await use(await collect(body, within))
      } finally {
        leave()
      }
    },
  }
}

async function collect(body: Body, within: number): Promise<Uint8Array> {
  const since = performance.now()
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body.bytes) {
    length += chunk.length
    if (length > maxManifestBytes) throw tooLarge()
    if (performance.now() - since > within)
      throw new OciError('MANIFEST_INVALID', `The manifest did not come within ${within / 1000} s.`, { status: 408 })
    chunks.push(chunk)
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length)
}

function tooLarge(): OciError {
  return new OciError('MANIFEST_INVALID', `The manifest is larger than ${maxManifestBytes} bytes.`, { status: 413 })
}
