/** A few places for many clients: each has its turn, and none more than its share, so that whoever holds on to places keeps others waiting for no more than those. */

export interface Turns {
  /** Settles when there is a place for this client; in the order of arrival, clients that have their share left out. */
  enter(client: string): Promise<void>
  leave(client: string): void
}

export interface TurnsOptions {
  /** Places in all. */
  most: number
  /** Places of one client. */
  share: number
}

export function createTurns({ most, share }: TurnsOptions): Turns {
  const waiting: { client: string; go: () => void }[] = []
  const held = new Map<string, number>()
  let free = most

  const mayEnter = (client: string) => free > 0 && (held.get(client) ?? 0) < share

  function take(client: string): void {
    free -= 1
    held.set(client, (held.get(client) ?? 0) + 1)
  }

  function give(client: string): void {
    free += 1
    const left = (held.get(client) ?? 0) - 1
    if (left > 0) held.set(client, left)
    else held.delete(client)
  }

  return {
    async enter(client) {
      if (mayEnter(client)) take(client)
      else await new Promise<void>((go) => waiting.push({ client, go }))
    },
    leave(client) {
      give(client)
      const index = waiting.findIndex((one) => mayEnter(one.client))
      const [next] = index < 0 ? [] : waiting.splice(index, 1)
      if (!next) return
      take(next.client)
      next.go()
    },
  }
}
