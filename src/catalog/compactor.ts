/** When the journal is written anew: once history is most of it. Beside everything else, one at a time. */
import type { Journal } from '../store/journal.ts'
import { compact, type CompactOptions } from './compact.ts'

export interface Compactor {
  /** @param base bytes of the journal when it was last written anew */
  look(base: number): void
  /** Ends what runs. */
  stop(): Promise<void>
}

export interface CompactorOptions extends Omit<CompactOptions, 'requireGoing'> {
  journal: Journal
  /** Why the records cannot be believed, where they cannot. */
  doubt: () => string | undefined
  warn: (message: string, error: unknown) => void
  /** Bytes up to which a journal may be nothing but history; default 1 MiB. */
  small?: number | undefined
  /** ms until one that failed is tried again; default 10 min. */
  retryAfter?: number | undefined
}

/** Above so many times what it had when it was last written anew, history is most of a journal, or it has doubled. */
const factor = 2

export function createCompactor(options: CompactorOptions): Compactor {
  const { journal, warn, small = 1024 * 1024, retryAfter = 10 * 60_000 } = options
  let running: Promise<void> | undefined
  let isStopping = false
  let isTroubled = false
  let restUntil = Number.NEGATIVE_INFINITY

  function requireGoing(): void {
    const doubt = options.doubt()
    if (isStopping) throw new Error('The catalog is being closed.')
    if (doubt !== undefined) throw new Error(doubt)
  }

  async function run(): Promise<void> {
    try {
      await compact({ ...options, requireGoing })
      isTroubled = false
    } catch (error) {
      restUntil = performance.now() + retryAfter
      if (isStopping || isTroubled) return
      isTroubled = true
      warn('the journal could not be written anew without its history; it goes on as it is, and is tried again', error)
    } finally {
      running = undefined
    }
  }

  return {
    look(base) {
      if (running || isStopping || journal.end <= Math.max(small, factor * base)) return
      if (options.doubt() !== undefined || performance.now() < restUntil) return
      running = run()
    },
    async stop() {
      isStopping = true
      await running
    },
  }
}
