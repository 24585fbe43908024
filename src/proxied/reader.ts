/** One client's reading of a download: it tails the spool file, so that a slow one costs nothing and a late one starts at byte 0. */
import type { ByteSource } from '../oci/byte-source.ts'
import type { Spool } from '../store/spool.ts'
import { createPassthrough, type PassthroughOptions } from './passthrough.ts'
import { type Progress, readableTo } from './progress.ts'

export interface ReaderOptions extends Pick<PassthroughOptions, 'upstream' | 'digest' | 'closedEnd' | 'fetch'> {
  progress: Progress
  spool: Spool
  /** Called once, when the reader is closed. */
  leave: () => void
}

export function openReader(options: ReaderOptions): ByteSource {
  const { progress, spool, closedEnd } = options
  const closing = Promise.withResolvers<void>()
  let passthrough: ByteSource | undefined
  let open = true

  // There is no room to write more: from the last byte that is written on, this reader has a transfer of its own.
  async function goOn(): Promise<ByteSource> {
    const { hash, position: from } = await spool.hashAt()
    return createPassthrough({
      ...options,
      size: progress.size,
      from,
      hash,
      before: (position, buffer) => spool.read(position, buffer),
    })
  }

  return {
    get size() {
      return progress.size
    },
    async read(position, buffer) {
      for (;;) {
        if (!open) throw new Error('The reader is closed.')
        if (passthrough) return passthrough.read(position, buffer)
        if (progress.state.at === 'failed') throw progress.state.error
        const end = readableTo(progress, closedEnd)
        if (position < end) return spool.read(position, buffer.subarray(0, end - position))
        if (progress.state.at === 'verified') return 0
        if (progress.state.at === 'without-room') passthrough = await goOn()
        else await Promise.race([progress.changed(), closing.promise])
      }
    },
    async close() {
      if (!open) return
      open = false
      closing.resolve()
      await passthrough?.close()
      options.leave()
    },
  }
}
