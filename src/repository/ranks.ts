/** What a range makes of a list of tags, remembered: reading 15,000 tags takes milliseconds, and the answer stays as long as the list. */
import { LRUCache } from 'lru-cache'
import { pick } from '../version/pick.ts'
import type { Profile } from '../version/profile.ts'
import { rank } from '../version/rank.ts'

export interface Ranks {
  /** @throws InvalidRangeError */
  best(tags: readonly string[], range: string, profile: Profile): string | undefined
  /**
   * All tags that match, best first.
   * @throws InvalidRangeError
   */
  all(tags: readonly string[], range: string, profile: Profile): readonly string[]
}

/**
 * Lists are told apart by their identity: nobody changes one once it is made, and the next answer of an upstream is another.
 * @param most tags in all remembered answers together
 */
export function createRanks(most = 500_000): Ranks {
  const remembered = new LRUCache<string, readonly string[]>({
    maxSize: most,
    sizeCalculation: (tags) => tags.length + 1,
  })
  const numbers = new WeakMap<readonly string[], number>()
  let lists = 0

  function numberOf(tags: readonly string[]): number {
    const known = numbers.get(tags)
    if (known !== undefined) return known
    lists += 1
    numbers.set(tags, lists)
    return lists
  }

  function recall(key: string, ask: () => readonly string[]): readonly string[] {
    const known = remembered.get(key)
    if (known) return known
    const found = ask()
    remembered.set(key, found)
    return found
  }

  return {
    best(tags, range, profile) {
      const [best] = recall(`best ${numberOf(tags)} ${profile} ${range}`, () => {
        const found = pick(range, tags, profile)
        return found === undefined ? [] : [found]
      })
      return best
    },
    all: (tags, range, profile) =>
      recall(`all ${numberOf(tags)} ${profile} ${range}`, () => rank(range, tags, profile)),
  }
}
