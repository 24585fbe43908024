/** GET and HEAD of `_entrepot/versions/resolve`: which tag a range means, which else would match, and why the others do not. */
import { setImmediate } from 'node:timers/promises'
import type { Listing } from '../repository/repository.ts'
import type { Resolution } from '../repository/resolve.ts'
import { explain } from '../version/explain.ts'
import { noRepository } from './absence.ts'
import { type Answer, jsonAnswer } from './answer.ts'
import { freshnessHeaders } from './headers.ts'
import { type Explained, gone, noRange, rangeError, unsatisfied } from './range-errors.ts'
import { askedBy } from './range-query.ts'
import type { Served } from './served.ts'
import type { Named } from './target.ts'

/** @throws OciError RANGE_INVALID 400, RANGE_UNSATISFIED and NAME_UNKNOWN 404, or what the repository throws */
export async function versionsAnswer({ repository, rules, ranges, client }: Served, target: Named): Promise<Answer> {
  const { name, query } = target
  const asked = askedBy(query, rules)
  if (!asked) throw noRange()
  const found = await ranges.byRange(repository, asked).catch((error: unknown) => {
    throw rangeError(error)
  })
  if (!found) throw noRepository(name, client)
  const { manifest, resolution } = found
  if (!resolution) throw new TypeError('a range was asked for and none decided')
  const { tag, range, profile, listing } = resolution
  const why = query.get('why') === 'true'
  if (tag === undefined) throw unsatisfied(name, resolution, why ? await explained(resolution) : undefined)
  if (!manifest) throw gone(name, { ...resolution, tag })
  const candidates = resolution.candidates()
  const body = {
    name,
    range,
    profile,
    tag,
    digest: manifest.digest,
    mediaType: manifest.mediaType,
    candidates: candidates.slice(0, mostNamed),
    freshAt: freshAt(listing),
    warning: manifest.warning,
    ...(candidates.length > mostNamed && { candidatesLeftOut: candidates.length - mostNamed }),
    ...(why && (await explained(resolution))),
  }
  return jsonAnswer(200, 'application/json', JSON.stringify(body), freshnessHeaders(manifest))
}

/** Of candidates and of losers: what a hostile registry lists must not become answers of any size. */
const mostNamed = 20_000

let turn: Promise<unknown> = Promise.resolve()

/** Explaining 15,000 tags takes milliseconds: one at a time, and other requests in between. */
async function explained({ range, profile, listing, tag: given }: Resolution): Promise<Explained> {
  const mine = turn.then(() => setImmediate())
  turn = mine
  await mine
  // A tag that is held is no loser, although another is better by now.
  const losers = explain(range, listing.items, profile).filter(({ tag }) => tag !== given)
  return {
    losers: losers.slice(0, mostNamed),
    ...(losers.length > mostNamed && { losersLeftOut: losers.length - mostNamed }),
  }
}

/** When the origin last confirmed the list; `undefined` where it is not the origin's own. */
function freshAt({ cache, age, among }: Listing<unknown>): string | undefined {
  if (among !== undefined) return undefined
  const seconds = age ?? (cache === 'miss' || cache === 'joined' ? 0 : undefined)
  return seconds === undefined ? undefined : new Date(Date.now() - seconds * 1000).toISOString()
}
