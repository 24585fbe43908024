/** Where pushed manifests are in memory: few large ones at a time, or a thousand clients could fill it; measured as they arrive. */
import { freeChunk } from '../oci/chunk.ts'
import { OciError } from '../oci/errors.ts'
import { maxManifestBytes } from '../oci/manifest.ts'
import type { Body } from './body.ts'
import { createTurns, type Turns } from './turns.ts'

export interface ManifestIntake {
  /**
   * @throws OciError MANIFEST_INVALID: 413 above 4 MiB, 408 where it does not come in time; what `gauge` throws, while the rest of the
   * body is still to come
   */
  take<T>(incoming: IncomingManifest, use: (bytes: Uint8Array) => Promise<T>): Promise<T>
}

interface IncomingManifest {
  body: Body
  /** Whose share of the places it takes. */
  client: string
  /** Sees the bytes as they come, and throws where no more of them is wanted. */
  gauge: (bytes: Uint8Array) => void
}

export interface IntakeOptions {
  /** Large ones at a time, in all and of one client; defaults 16 and 4. */
  most?: number
  share?: number
  /** Bytes that come without a place: a manifest that has no more is small. Default 64 KiB. */
  small?: number
  /** ms that a large one has to arrive, once it is its turn; default 60,000. */
  within?: number
}

export function createManifestIntake(options: IntakeOptions = {}): ManifestIntake {
  const { most = 16, share = 4, small = 64 * 1024, within = 60_000 } = options
  const turns = createTurns({ most, share })

  return {
    async take(incoming, use) {
      const { body, client } = incoming
      if (body.length !== undefined && body.length > maxManifestBytes) throw tooLarge()
      const place = placeFor(client, turns)
      try {
        return await use(await collect(incoming, { place, small, within }))
      } finally {
        place.leave()
      }
    },
  }
}

/** A place that is taken only by what turns out to be large. */
interface Place {
  isTaken(): boolean
  enter(): Promise<void>
  leave(): void
}

function placeFor(client: string, turns: Turns): Place {
  let taken = false
  return {
    isTaken: () => taken,
    async enter() {
      await turns.enter(client)
      taken = true
    },
    leave() {
      if (taken) turns.leave(client)
    },
  }
}

interface Collecting extends Required<Pick<IntakeOptions, 'small' | 'within'>> {
  place: Place
}

async function collect(incoming: IncomingManifest, collecting: Collecting): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  // What is refused, or was copied, is to cost nothing until the next collection.
  const free = () => chunks.splice(0).forEach(freeChunk)
  try {
    await fill(chunks, incoming, collecting)
  } catch (error) {
    free()
    throw error
  }
  const [only] = chunks
  if (chunks.length === 1 && only) return only
  const whole = Buffer.concat(chunks)
  free()
  return whole
}

async function fill(
  chunks: Uint8Array[],
  { body, gauge }: IncomingManifest,
  { place, small, within }: Collecting,
): Promise<void> {
  let deadline = Number.POSITIVE_INFINITY
  let length = 0
  for await (const chunk of body.bytes) {
    chunks.push(chunk)
    length += chunk.length
    if (length > maxManifestBytes) throw tooLarge()
    if (performance.now() > deadline)
      throw new OciError('MANIFEST_INVALID', `The manifest did not come within ${within / 1000} s.`, { status: 408 })
    gauge(chunk)
    if (length <= small || place.isTaken()) continue
    await place.enter()
    deadline = performance.now() + within
  }
}

function tooLarge(): OciError {
  return new OciError('MANIFEST_INVALID', `The manifest is larger than ${maxManifestBytes} bytes.`, { status: 413 })
}
