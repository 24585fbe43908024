/** Numbers that look random and are the same for the same seed. */
import { createHash } from 'node:crypto'

export interface Random {
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number
  pick<T>(items: readonly T[]): T
  /** At most `count` of the items, each once. */
  sample<T>(items: readonly T[], count: number): T[]
}

export function createRandom(seed: string): Random {
  let drawn = 0

  function below(limit: number): number {
    drawn += 1
    return createHash('sha256').update(`${seed} ${drawn}`).digest().readUInt32BE(0) % limit
  }
  function pick<T>(items: readonly T[]): T {
    const item = items[below(items.length)]
    if (item === undefined) throw new Error('There is nothing to pick from.')
    return item
  }

  return {
    below,
    pick,
    sample(items, count) {
      const left = [...items]
      const taken = []
      while (left.length > 0 && taken.length < count) taken.push(...left.splice(below(left.length), 1))
      return taken
    },
  }
}
