/** What a repository's configuration says about version ranges: what a reference may mean there, and whose rules read it. */
import { LRUCache } from 'lru-cache'
import { matches, type Pattern } from '../oci/pattern.ts'
import type { Profile } from '../version/profile.ts'

/** Whether a tag that does not exist may be a range: never, or also where it is no more than a partial version. */
export type RangeMode = 'on' | 'off' | 'partials'

export interface RangeRules {
  mode: RangeMode
  profile: Profile
}

export interface RangeRuleOptions {
  versionRanges: RangeMode
  upstreams: readonly { name: string; versionRanges: RangeMode }[]
  /** Over `<upstream host>/<name>` and `hosted/<name>`; the first that matches decides. */
  profiles: readonly { pattern: Pattern; profile: Profile }[]
}

const mostRemembered = 10_000

/** The profile of repositories that no pattern matches. */
const usualProfile: Profile = 'image'

/** @returns a function of a repository's key, `<upstream host>/<name>` or `hosted/<name>` */
export function createRangeRules(options: RangeRuleOptions): (key: string) => RangeRules {
  const modes = new Map(options.upstreams.map(({ name, versionRanges }) => [name, versionRanges]))
  const decide = (key: string): RangeRules => ({
    mode: modes.get(key.slice(0, key.indexOf('/'))) ?? options.versionRanges,
    profile: options.profiles.find(({ pattern }) => matches(pattern, key))?.profile ?? usualProfile,
  })
  // Every request asks; matching patterns is a tenth of what a warm manifest costs.
  const decided = new LRUCache<string, RangeRules>({ max: mostRemembered })
  return (key) => {
    const known = decided.get(key)
    if (known) return known
    const rules = decide(key)
    decided.set(key, rules)
    return rules
  }
}
