/** What a range makes of a list of tags, remembered: reading 15,000 tags takes milliseconds, and the answer stays as long as the list. */
import { LRUCache } from 'lru-cache'
import { InvalidRangeError } from '../version/invalid-range.ts'
import { nearest } from '../version/nearest.ts'
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
  /** For a range that matched nothing: the nearest tags, best first; none for a range that cannot be read. */
  near(tags: readonly string[], range: string, profile: Profile): readonly string[]
}

/** What one answer takes up beside its key and its tags, and a place for each tag, roughly. */
const overhead = 200
const place = 8

/**
 * Lists are told apart by their identity: nobody changes one once it is made, and the next answer of an upstream is another.
 * @param most bytes that all remembered answers together take up, roughly
 */
export function createRanks(most = 16 * 1024 * 1024): Ranks {
  const remembered = new LRUCache<string, readonly string[]>({
    maxSize: most,
    sizeCalculation: (tags, key) => overhead + 2 * key.length + place * tags.length,
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
    near: (tags, range, profile) =>
      recall(`near ${numberOf(tags)} ${profile} ${range}`, () => nearestOrNone(range, tags, profile)),
  }
}

/** Some clients take a list into account before they look at the range, and find out only then that it is none. */
function nearestOrNone(range: string, tags: readonly string[], profile: Profile): readonly string[] {
  try {
    return nearest(range, tags, profile)
  } catch (error) {
    if (error instanceof InvalidRangeError) return []
    throw error
  }
}
