/** When content was last used: held in memory, written in one batch every 30 s, since a lost minute of it costs nothing. */
import type { Digest } from '../oci/digest.ts'
import type { KeyValue } from '../store/key-value.ts'
import { decode, encode, keys, lastPart } from './records.ts'

export interface Uses {
  touch(digest: Digest): void
  /** What is kept no more is used no more: no later flush writes it. */
  forget(digest: Digest): void
  /** ms since the epoch; 0 where it was never used. */
  last(digest: Digest): Promise<number>
  /** Last use of everything that was ever used, ms since the epoch. */
  all(): Promise<Map<string, number>>
  /** Makes the uses durable. @throws when they could not be; the next flush tries again */
  flush(): Promise<void>
  close(): Promise<void>
}

export function createUses(store: KeyValue, now: () => number, every = 30_000): Uses {
  /** Not durable yet. */
  const recent = new Map<Digest, number>()
  // A failed write is the store's to report.
  const timer = setInterval(() => void flush().catch(() => {}), every)
  timer.unref()

  async function flush(): Promise<void> {
    if (recent.size === 0) return
    const written = [...recent]
    await store.batch(written.map(([digest, at]) => ({ put: keys.used(digest), value: encode(at) })))
    for (const [digest, at] of written) if (recent.get(digest) === at) recent.delete(digest)
  }

  return {
    touch(digest) {
      recent.set(digest, now())
    },
    forget(digest) {
      recent.delete(digest)
    },
    async last(digest) {
      const value = recent.get(digest) ?? (await store.get(keys.used(digest)))
      return typeof value === 'object' ? decode<number>(value) : (value ?? 0)
    },
    async all() {
      const uses = new Map<string, number>()
      for await (const [key, value] of store.scan(keys.allUsed())) uses.set(lastPart(key), decode<number>(value))
      for (const [digest, at] of recent) uses.set(digest, at)
      return uses
    },
    flush,
    async close() {
      clearInterval(timer)
      await flush()
    },
  }
}
