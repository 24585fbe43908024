/** What an upstream said does not exist, remembered for a short while; the oldest go first. */

export interface Absences {
  add(key: string): void
  has(key: string): boolean
}

export interface AbsenceOptions {
  /** ms that an absence lasts. */
  time: number
  now: () => number
  most?: number
}

export function createAbsences({ time, now, most = 10_000 }: AbsenceOptions): Absences {
  const since = new Map<string, number>()
  return {
    add(key) {
      since.delete(key)
      since.set(key, now())
      const [oldest] = since.keys()
      if (since.size > most && oldest !== undefined) since.delete(oldest)
    },
    has(key) {
      const age = now() - (since.get(key) ?? Number.NEGATIVE_INFINITY)
      // A clock that was set back must not make it last.
      return age >= 0 && age < time
    },
  }
}
