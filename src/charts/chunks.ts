/** Bytes of an archive as they are asked for, whatever pieces they arrive in. */
import { ChartError } from './go-yaml.ts'

export interface Chunks {
  /** `undefined` at the end. @throws ChartError where fewer bytes are left */
  take(count: number): Promise<Buffer | undefined>
  need(count: number): Promise<Buffer>
  skip(count: number): Promise<void>
}

export function createChunks(bytes: AsyncIterable<Uint8Array>): Chunks {
  const chunks = bytes[Symbol.asyncIterator]()
  let held: Uint8Array = new Uint8Array()
  const refill = async () => {
    while (held.length === 0) {
      const next = await chunks.next()
      if (next.done) return false
      held = next.value
    }
    return true
  }
  const take = async (count: number): Promise<Buffer | undefined> => {
    const parts: Uint8Array[] = []
    let missing = count
    while (missing > 0 && (await refill())) {
      const part = held.subarray(0, missing)
      held = held.subarray(part.length)
      missing -= part.length
      parts.push(part)
    }
    if (missing === count && count > 0) return undefined
    if (missing > 0) throw new ChartError('its archive breaks off')
    return Buffer.concat(parts)
  }
  return {
    take,
    async need(count: number): Promise<Buffer> {
      const taken = await take(count)
      if (taken === undefined) throw new ChartError('its archive breaks off')
      return taken
    },
    async skip(count: number): Promise<void> {
      let left = count
      while (left > 0) {
        if (!(await refill())) throw new ChartError('its archive breaks off')
        const step = Math.min(left, held.length)
        held = held.subarray(step)
        left -= step
      }
    },
  }
}
