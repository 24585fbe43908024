/** From a version range to a tag: one function over the list of tags, whatever the repository's origin. */
import { parseTag, type Tag } from '../oci/name.ts'
import type { Profile } from '../version/profile.ts'
import { createHeldAnswers, type HoldOptions } from './held-answers.ts'
import type { HostedRepository } from './hosted.ts'
import { createRanks } from './ranks.ts'
import type { Listing, Repository } from './repository.ts'

export interface Asked {
  /** In the operators' own spelling. */
  range: string
  profile: Profile
  /** Tags that are listed and turned out to be gone. */
  without?: readonly string[]
}

export interface Resolution extends Asked {
  /** `undefined`: no tag matches. */
  tag: Tag | undefined
  /** All tags that match, best first. */
  candidates: () => readonly string[]
  /** Where none does: the nearest, best first. */
  nearest: () => readonly string[]
  /** The tag was taken because it is kept whole while the upstream is in trouble. */
  isWhole: boolean
  /** The list that the answer is from; its warning says too where a tag that is kept whole was preferred. */
  listing: Listing<Tag>
}

/** As much of a repository as a decision needs. */
type Resolvable = Pick<Repository, 'key' | 'firstComplete'> & Partial<Pick<HostedRepository, 'hosted'>>

export interface Resolver {
  /** @throws InvalidRangeError */
  resolve(repository: Resolvable, listing: Listing<Tag>, asked: Asked): Promise<Resolution>
  /**
   * All tags of a list that match, best first.
   * @throws InvalidRangeError
   */
  candidates(listing: Listing<Tag>, asked: Asked): readonly string[]
}

export function createResolver(options: HoldOptions = {}): Resolver {
  const { now = Date.now } = options
  const ranks = createRanks()
  const held = createHeldAnswers(options)

  function candidates({ items }: Listing<Tag>, { range, profile, without = [] }: Asked): readonly string[] {
    const all = ranks.all(items, range, profile)
    return without.length === 0 ? all : all.filter((tag) => !without.includes(tag))
  }

  function bestOf(listing: Listing<Tag>, asked: Asked): string | undefined {
    if (asked.without !== undefined) return candidates(listing, asked)[0]
    return ranks.best(listing.items, asked.range, asked.profile)
  }

  return {
    candidates,
    async resolve(repository, listing, asked) {
      const found = {
        ...asked,
        candidates: () => candidates(listing, asked),
        nearest: () => ranks.near(listing.items, asked.range, asked.profile),
        listing,
        isWhole: false,
      }
      const best = bestOf(listing, asked)
      if (best === undefined) return { ...found, tag: undefined }
      const key = `${repository.key} ${asked.profile} ${asked.range}`
      const again = held.insteadOf(key, best, now() - (listing.age ?? 0) * 1000)
      const first = again !== undefined && canBeGiven(again, listing, asked) ? again : best
      // The upstream is in trouble: what is kept whole can be pulled, the rest may not.
      const whole = listing.cache === 'stale' ? await firstComplete(repository, first, found.candidates) : undefined
      const tag = whole ?? parseTag(first)
      // A push and a delete of our own are visible at once.
      if (tag !== undefined && !repository.hosted) held.give(key, tag)
      if (whole === undefined || whole === best) return { ...found, tag, isWhole: whole !== undefined }
      const warned = { ...listing, warning: preferring(whole, best, listing.warning) }
      return { ...found, tag, isWhole: true, listing: warned }
    },
  }
}

function canBeGiven(tag: string, { items }: Listing<string>, { without = [] }: Asked): boolean {
  return items.includes(tag) && !without.includes(tag)
}

async function firstComplete(repository: Resolvable, first: string, others: () => readonly string[]) {
  return (await repository.firstComplete([first])) ?? repository.firstComplete(others())
}

function preferring(tag: string, first: string, warning: string | undefined): string {
  const preference = `${first} matches and is not kept whole, ${tag} is`
  return warning === undefined ? preference : `${warning}; ${preference}`
}
