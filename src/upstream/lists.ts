/** Tag lists and referrers as upstreams really send them. */
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { OciError, type UpstreamError } from '../oci/errors.ts'
import { type JsonLimits, parseJson } from '../oci/json.ts'
import { maxManifestBytes, readDescriptor } from '../oci/manifest.ts'
import { ociIndex } from '../oci/media-types.ts'
import { parseTag, type RepositoryName, type Tag } from '../oci/name.ts'
import { failureOfAnswer, isWebPage, mediaTypeOf } from './answers.ts'
import type { Answer } from './exchange.ts'
import { wrong } from './failure.ts'
import { isObject } from './json-object.ts'
import { collectPages, type Page, pageLimits, referrersLimits } from './paging.ts'

/** Asks for one page, with all retries; what `read` gives is the call's result. */
export type GetPage = <T>(
  url: URL,
  accept: string,
  redirects: 'follow' | 'stay',
  read: (answer: Answer) => Promise<T>,
) => Promise<T>

export interface ListOptions {
  upstream: string
  /** `/v2/<name>/` with the upstream's own prefix, ends with a slash. */
  repositoryUrl: (repository: RepositoryName) => URL
  /** Tags asked for a page; default 1,000, which is the most that ECR takes. */
  tagsPageSize?: number
}

export interface Lists {
  tags(repository: RepositoryName, get: GetPage): Promise<Tag[] | undefined>
  referrers(repository: RepositoryName, subject: Digest, get: GetPage): Promise<Descriptor[] | undefined>
}

/** GCR adds a map of all manifests to its tag lists, with many members a tag. */
const tagsJson: JsonLimits = { depth: 32, elements: 2_000_000, string: 64 * 1024 }
const referrersJson: JsonLimits = { depth: 32, elements: 100_000, string: 64 * 1024 }

/** How a page size that is too large is refused: quay 413, ECR and others 400. */
const sizeRefusals = new Set([400, 413, 416, 422])

/** How an upstream without the referrers API answers; GHCR's 303 leads to its web page. */
const noReferrers = new Set([303, 400, 404, 405, 406])

export function createLists({ upstream, repositoryUrl, tagsPageSize = 1_000 }: ListOptions): Lists {
  const pageSizes = [tagsPageSize, ...(tagsPageSize > 100 ? [100] : []), undefined]
  let smallEnough = 0

  const firstTagsUrl = (repository: RepositoryName, size: number | undefined): URL => {
    const url = new URL('tags/list', repositoryUrl(repository))
    if (size !== undefined) url.searchParams.set('n', String(size))
    return url
  }

  /** A page size that was accepted is where the next list starts. */
  const tags = async (repository: RepositoryName, get: GetPage, asked = smallEnough): Promise<Tag[] | undefined> => {
    const first = firstTagsUrl(repository, pageSizes[asked])
    let refusal: UpstreamError | undefined
    const found = await collectPages(upstream, first, async (url, bytesLeft) => {
      const page = await get(url, 'application/json', 'follow', async (answer) => {
        const isRefusal = url === first && sizeRefusals.has(answer.response.status)
        if (!isRefusal) return await readTagsPage(upstream, answer, bytesLeft)
        return await failureOfAnswer(upstream, answer.host, answer.response)
      })
      if (!(page instanceof OciError)) return page
      refusal = page
      return undefined
    })
    if (refusal) {
      if (asked === pageSizes.length - 1) throw refusal
      return await tags(repository, get, asked + 1)
    }
    if (found) smallEnough = asked
    return found && sortedTags(found)
  }

  return {
    tags: (repository, get) => tags(repository, get),
    async referrers(repository, subject, get) {
      const first = new URL(`referrers/${subject}`, repositoryUrl(repository))
      const readPage = (url: URL, bytesLeft: number) =>
        get(url, ociIndex, 'stay', (answer) => readReferrersPage(upstream, answer, bytesLeft))
      const found = await collectPages(upstream, first, readPage, referrersLimits)
      return found && [...new Map(found.map((descriptor) => [descriptor.digest, descriptor])).values()]
    },
  }
}

/** ECR calls it text/plain, Go servers write no tags as null; what is no tag at all cannot be asked for, and is left out. */
async function readTagsPage(upstream: string, answer: Answer, bytesLeft: number): Promise<Page<Tag> | undefined> {
  const { response, isOwn, host } = answer
  if (response.status === 404 && isOwn) {
    response.discard()
    return undefined
  }
  if (response.status !== 200) throw await failureOfAnswer(upstream, host, response)
  const { document, bytes } = await readObject(upstream, answer, bytesLeft, tagsJson)
  const listed = document.tags === null ? [] : document.tags
  if (!Array.isArray(listed)) throw wrong(upstream, `${upstream} sends a tag list without tags.`)
  const items = listed.flatMap((tag: unknown) => (typeof tag === 'string' ? (parseTag(tag) ?? []) : []))
  return { items, bytes, links: response.header('link') }
}

/** An entry that is left out reads as "unsigned": only a digest that nobody could ask us for may be. */
async function readReferrersPage(
  upstream: string,
  answer: Answer,
  bytesLeft: number,
): Promise<Page<Descriptor> | undefined> {
  const { response, host } = answer
  const isWrongType = response.status === 200 && mediaTypeOf(response).toLowerCase() !== ociIndex
  if (noReferrers.has(response.status) || isWrongType) {
    response.discard()
    return undefined
  }
  if (response.status !== 200) throw await failureOfAnswer(upstream, host, response)
  const { document, bytes } = await readObject(upstream, answer, Math.min(bytesLeft, maxManifestBytes), referrersJson)
  const listed = document.manifests === null ? [] : document.manifests
  if (!Array.isArray(listed)) throw wrong(upstream, `${upstream} sends referrers without manifests.`)
  const items = listed.flatMap((entry: unknown) => readEntry(upstream, entry) ?? [])
  return { items, bytes, links: response.header('link') }
}

function readEntry(upstream: string, entry: unknown): Descriptor | undefined {
  try {
    return readDescriptor(entry)
  } catch (cause) {
    if (cause instanceof OciError && cause.code === 'UNSUPPORTED') return undefined
    throw wrong(upstream, `${upstream} sends referrers with an entry that cannot be read.`, cause)
  }
}

async function readObject(upstream: string, { response }: Answer, limit: number, limits: JsonLimits) {
  if (isWebPage(response)) {
    response.discard()
    throw wrong(upstream, `${upstream} answered with a web page instead of a list.`)
  }
  const bytes = await response.bytes(Math.max(0, Math.min(limit, pageLimits.bytes)))
  const document = parseList(upstream, bytes, limits)
  if (!isObject(document)) throw wrong(upstream, `${upstream} sends a list that is no JSON object.`)
  return { document, bytes: bytes.length }
}

function parseList(upstream: string, bytes: Uint8Array, limits: JsonLimits): unknown {
  try {
    return parseJson(bytes, limits)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : ''
    if (reason.startsWith('more than ')) throw wrong(upstream, `${upstream} sends a list that is too long: ${reason}.`)
    // JSON.parse quotes what it read; the measures do not.
    const told = /^(?:nested deeper|a (?:string|number) )/.test(reason) ? ` (${reason})` : ''
    throw wrong(upstream, `${upstream} sends a list that is malformed${told}.`)
  }
}

/** Tags are ASCII, so that the order of UTF-16 units is the order that the spec calls ASCIIbetical. */
function sortedTags(tags: Tag[]): Tag[] {
  return [...new Set(tags)].toSorted((one, other) => (one < other ? -1 : 1))
}
