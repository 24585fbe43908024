/** Which manifest a reference means that may be a range: a tag of that name always wins. */
import { OciError } from '../oci/errors.ts'
import { parseTag, type Tag } from '../oci/name.ts'
import { InvalidRangeError, refuse } from '../version/invalid-range.ts'
import { pick } from '../version/pick.ts'
import { rangeOfTag } from '../version/tag-range.ts'
import type { HoldOptions } from './held-answers.ts'
import type { RangeMode } from './range-rules.ts'
import type { Freshness, Listing, Manifest, Repository } from './repository.ts'
import { type Asked, createResolver, type Resolution } from './resolve.ts'

/** `resolution` is there where a range decided; then no `manifest` means that nothing matches, or that all of it is gone. */
export interface Found {
  manifest?: Manifest | undefined
  resolution?: Resolution
}

export interface Ranges {
  /**
   * The literal tag, or what the range it spells resolves to where there is no such tag.
   * @throws InvalidRangeError where there is no such tag, and its range is none for this profile
   */
  byTag(repository: Repository, tag: Tag, asked: Asked): Promise<Found>
  /**
   * @returns `undefined` where there is no such repository
   * @throws InvalidRangeError before anybody is asked
   */
  byRange(repository: Repository, asked: Asked): Promise<Found | undefined>
  /** All tags of a list that match, best first. */
  candidates(listing: Listing<Tag>, asked: Asked): readonly string[]
}

export interface RangesOptions extends HoldOptions {
  /** ms for all that one answer takes, tag, list and manifest; default 20 s, since containerd gives up at 30 s. */
  callTime?: number
  /** ms that a client waits for list and manifest together where both are kept whole; default 3 s. */
  deadline?: number
}

/** Tags that are listed and gone which are passed over in one answer. */
const mostGone = 3

export function createRanges(options: RangesOptions = {}): Ranges {
  const { callTime = 20_000, deadline = 3_000 } = options
  const resolver = createResolver(options)

  async function literalOrRange(repository: Repository, tag: Tag, asked: Asked): Promise<Found> {
    const by = performance.now() + deadline
    const invalid = whyInvalid(asked)
    const isListed = invalid ? undefined : await repository.knows(tag)
    if (isListed === false) return unlistedOrRange(repository, tag, asked, by)
    const literal = await repository.manifest({ tag })
    if (literal) return { manifest: literal }
    if (invalid) throw invalid
    const listing = await repository.tags()
    return listing ? firstThere(repository, listing, asked, by) : {}
  }

  /** No list that is kept has the tag: it may be newer, or one that its upstream never lists. */
  async function unlistedOrRange(repository: Repository, tag: Tag, asked: Asked, by: number): Promise<Found> {
    const lacking = repository.lacks(tag)
    const [lacks, listing] = await Promise.all([orLate(by, lacking), repository.tags()])
    const isThere = lacks === false || listing?.items.includes(tag) === true
    const literal = isThere ? await repository.manifest({ tag }) : undefined
    if (literal) return { manifest: literal }
    return listing ? firstThere(repository, listing, asked, by) : {}
  }

  async function listed(repository: Repository, asked: Asked): Promise<Found | undefined> {
    const by = performance.now() + deadline
    const listing = await repository.tags()
    return listing && firstThere(repository, listing, asked, by)
  }

  /** @param by when a client has waited long enough for what is kept */
  async function firstThere(repository: Repository, listing: Listing<Tag>, asked: Asked, by: number): Promise<Found> {
    const gone: string[] = []
    for (;;) {
      const without = gone.length === 0 ? {} : { without: gone }
      const resolution = await resolver.resolve(repository, listing, { ...asked, ...without })
      const { tag } = resolution
      const manifest = tag && (await (resolution.isWhole ? keptBy(by, repository, tag) : repository.manifest({ tag })))
      if (manifest) return { manifest: { ...manifest, ...together(manifest, resolution.listing) }, resolution }
      if (!tag || gone.length === mostGone) return { resolution }
      gone.push(tag)
    }
  }

  return {
    candidates: (listing, asked) => resolver.candidates(listing, asked),
    byTag: (repository, tag, asked) => inTime(callTime, repository.key, literalOrRange(repository, tag, asked)),
    async byRange(repository, asked) {
      checkRange(asked)
      return inTime(callTime, repository.key, listed(repository, asked))
    },
  }
}

/** As long as a range may be for Masterminds/semver 3.5, in bytes; whatever is remembered of ranges is bounded by it. */
const longestRange = 512

/** A list that has a version makes every profile read the range; Helm reads none where nothing could match. */
const anyVersion = ['1.0.0']

/** @throws InvalidRangeError */
export function checkRange({ range, profile }: Asked): void {
  if (Buffer.byteLength(range) > longestRange)
    refuse(range, longestRange, `The range is longer than ${longestRange} bytes`)
  // Argo CD takes a tag that exists before it looks whether it is a range.
  if (profile === 'argo' && parseTag(range) !== undefined) return
  pick(range, anyVersion, profile)
}

function whyInvalid(asked: Asked): InvalidRangeError | undefined {
  try {
    checkRange(asked)
    return undefined
  } catch (error) {
    if (error instanceof InvalidRangeError) return error
    throw error
  }
}

/** An answer is as fresh as the older of the two that it is made of. */
function together(manifest: Freshness, listing: Freshness): Freshness {
  const ages = [manifest.age, listing.age].filter((age) => age !== undefined)
  const warnings = [listing.warning, manifest.warning].filter((warning) => warning !== undefined)
  const [first = '', second = ''] = warnings
  return {
    cache: listing.cache === 'stale' ? 'stale' : manifest.cache,
    ...(ages.length > 0 && { age: Math.max(...ages) }),
    ...(warnings.length > 0 && { warning: first.includes(second) ? first : `${first}; ${second}` }),
  }
}

/** What no tag can be and a range can: none of these characters is in the grammar of tags. */
const rangeCharacters = /[\^~<>=!*+,| ]/

/**
 * What a reference in a path may mean besides a digest. A text that is neither a tag nor shaped like a range means nothing.
 */
export function readReference(text: string, mode: RangeMode): { tag?: Tag; range?: string } {
  const tag = parseTag(text)
  if (tag === undefined) return mode !== 'off' && rangeCharacters.test(text) ? { range: text } : {}
  const range = mode === 'off' ? undefined : rangeOfTag(tag, mode === 'partials')
  return range === undefined ? { tag } : { tag, range }
}

/** A range that a client names as one, in either spelling. */
export function readRange(text: string): string {
  return rangeOfTag(text, false) ?? text
}

/** The list may have taken all the patience that there is for an upstream in trouble, and the tag is kept whole. */
async function keptBy(by: number, repository: Repository, tag: Tag): Promise<Manifest | undefined> {
  const asked = repository.manifest({ tag })
  const first = await orLate(by, asked)
  return first === 'late' ? ((await repository.kept(tag)) ?? (await asked)) : first
}

/** @param by a time of `performance.now()` */
async function orLate<T>(by: number, asked: Promise<T>): Promise<T | 'late'> {
  const { promise: late, resolve } = Promise.withResolvers<'late'>()
  const timer = setTimeout(() => resolve('late'), Math.max(0, by - performance.now()))
  try {
    return await Promise.race([asked, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The calls go on, and what they bring is kept; only this answer ends. */
function inTime<T>(time: number, key: string, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const timer = setTimeout(() => {
    const sentence = `The upstream of ${key} took longer than ${time / 1000} s over what this range needs: ask again.`
    reject(new OciError('UPSTREAM_TIMEOUT', sentence))
  }, time)
  void work.then(resolve, reject).finally(() => clearTimeout(timer))
  return promise
}
