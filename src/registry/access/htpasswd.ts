/** The text of an htpasswd file: one `user:hash` a line, bcrypt alone. Pure. */
import { anonymous, everyUser } from '../access.ts'

export interface Users {
  /** Hashes by user name. */
  hashes: ReadonlyMap<string, string>
  /** The highest cost of them: what an answer about somebody else costs too. */
  cost: number
}

/** What is wrong with a line, in words that name neither the user nor the hash. */
export interface LineProblem {
  /** From 1. */
  line: number
  reason: string
}

/** What `entrepot passwd` hashes with. */
export const usualCost = 10
/** A hash of this cost takes about a second here; each further one doubles it. */
const highestCost = 14
const lowestCost = 4
const mostUsers = 10_000

/** Lines with a problem are left out. */
export function parseHtpasswd(text: string): { users: Users; problems: LineProblem[] } {
  const hashes = new Map<string, string>()
  const problems: LineProblem[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const colon = line.indexOf(':')
    const [user, hash] = [line.slice(0, Math.max(0, colon)), line.slice(colon + 1).trimEnd()]
    const reason = colon < 0 ? 'must be USER:HASH' : (whyNoUser(user) ?? whyNoHash(hash) ?? whyTooMany(user, hashes))
    if (reason === undefined) hashes.set(user, hash)
    else problems.push({ line: index + 1, reason })
  }
  const costs = [...hashes.values()].map(costOf)
  return { users: { hashes, cost: costs.length === 0 ? usualCost : Math.max(...costs) }, problems }
}

/** Why nobody can have this name; `undefined` = it is one. */
export function whyNoUser(name: string): string | undefined {
  if (!/^[^\p{Cc}:]{1,256}$/u.test(name))
    return 'the user name must have 1 to 256 characters, no colon and no control characters'
  if (name === anonymous || name === everyUser) return `the name ${name} is taken: rules use it for more than one user`
  return undefined
}

function whyNoHash(hash: string): string | undefined {
  const cost = costOf(hash)
  if (Number.isNaN(cost)) return 'the password is no bcrypt hash: make the line with entrepot passwd, or htpasswd -B'
  if (cost < lowestCost || cost > highestCost)
    return `the bcrypt cost is ${cost}: it must be ${lowestCost} to ${highestCost}`
  return undefined
}

function whyTooMany(user: string, hashes: ReadonlyMap<string, string>): string | undefined {
  if (hashes.has(user)) return 'the user stands here for the second time'
  return hashes.size < mostUsers ? undefined : `there are more than ${mostUsers} users`
}

/** NaN where it is no bcrypt hash. */
export function costOf(hash: string): number {
  return Number(/^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash)?.[1] ?? Number.NaN)
}
