/** What an upstream has answered is served even where it cannot be kept: a full disk costs the cache, never the answer. */

export type TryKeeping = (what: string, keep: () => Promise<void>) => Promise<void>

export function createTryKeeping(warn: (message: string, error: unknown) => void): TryKeeping {
  return async (what, keep) => {
    try {
      await keep()
    } catch (error) {
      warn(`${what} could not be kept; it is served all the same`, error)
    }
  }
}
