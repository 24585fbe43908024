/** At most so many at a time, in the order of asking. */

export interface Slots {
  /** Settles with the release (idempotent) once there is a free slot. @throws signal.reason when the signal aborts first */
  take(signal: AbortSignal): Promise<() => void>
}

export function createSlots(count: number): Slots {
  const waiting = new Set<() => void>()
  let free = count

  const grant = () => {
    free -= 1
    let held = true
    return () => {
      if (!held) return
      held = false
      free += 1
      const [next] = waiting
      next?.()
    }
  }

  return {
    async take(signal) {
      signal.throwIfAborted()
      if (free > 0) return grant()
      return await new Promise((resolve, reject) => {
        const leave = () => {
          waiting.delete(admit)
          signal.removeEventListener('abort', abort)
        }
        const admit = () => {
          leave()
          resolve(grant())
        }
        const abort = () => {
          leave()
          reject(signal.reason)
        }
        waiting.add(admit)
        signal.addEventListener('abort', abort, { once: true })
      })
    },
  }
}
