/**
 * Kept bytes that the disk cannot give, or not as they were: they are dropped, and where the client has none of them yet it gets good
 * ones from the upstream. One that has some already, which nobody can vouch for, is broken off.
 */
import type { ByteSource } from '../oci/byte-source.ts'

export interface HealingOptions {
  source: ByteSource
  /** Drops what is kept. */
  drop: (error: unknown) => Promise<void>
  /** The bytes once more, from elsewhere; `undefined` = there are none. */
  again: () => Promise<ByteSource | undefined>
}

export function createHealingSource({ source, drop, again }: HealingOptions): ByteSource {
  let current = source
  let state: 'untouched' | 'read' | 'healed' | 'closed' = 'untouched'

  async function heal(error: unknown): Promise<void> {
    const wasUntouched = state === 'untouched'
    await drop(error)
    const other = wasUntouched ? await again() : undefined
    if (!other) throw error
    if (state === 'closed') {
      await other.close()
      throw error
    }
    await current.close()
    current = other
    state = 'healed'
  }

  async function read(position: number, buffer: Uint8Array): Promise<number> {
    try {
      const count = await current.read(position, buffer)
      if (state === 'untouched') state = 'read'
      return count
    } catch (error) {
      if (state === 'closed' || state === 'healed') throw error
      await heal(error)
      return current.read(position, buffer)
    }
  }

  return {
    size: source.size,
    read,
    async close() {
      state = 'closed'
      await current.close()
    },
  }
}
