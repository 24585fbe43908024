/** Long lists in pages: by the client's `n`, and below the 4 MiB that oras reads of one page. */
import { OciError } from '../oci/errors.ts'
import type { Named } from './target.ts'

const longestPage = 4 * 1024 * 1024 - 16 * 1024
const mostItems = 1_000
/** Bytes that are read for one page: of a list that is filtered, a page may have nothing and lead on all the same. */
const mostRead = 16 * longestPage

export interface Page<T> {
  items: T[]
  /** The key to go on after; `undefined` on the last page. */
  next: string | undefined
}

export interface PageOptions<T> {
  /** Items up to this key, itself too, were on the pages before. */
  after: string | undefined
  /** At most this many items. */
  limit?: number
  keyOf: (item: T) => string
  /** Bytes of the item in the body. */
  sizeOf: (item: T) => number
}

/** A page of items that stand in the ascending order of their keys, byte by byte. One item at least, however large, or paging would not end. */
export function pageOf<T>(items: readonly T[], options: PageOptions<T>): Page<T> {
  const { after, limit = Number.POSITIVE_INFINITY, keyOf, sizeOf } = options
  const start = after === undefined ? 0 : firstAfter(items, after, keyOf)
  let end = start
  let bytes = 0
  for (const item of items.slice(start)) {
    bytes += sizeOf(item)
    if (end - start >= limit || (end > start && bytes > longestPage)) break
    end += 1
  }
  const page = items.slice(start, end)
  const last = page.at(-1)
  return { items: page, next: last !== undefined && end < items.length ? keyOf(last) : undefined }
}

export interface ReadOptions<T> {
  limit?: number
  keyOf: (item: T) => string
  /** The item as it stands in the body, which is also what it costs to read, and whether it is on the page at all. */
  write: (item: T) => { bytes: Uint8Array; isWanted: boolean }
}

/** As {@link pageOf}, of items after the page before that are read one by one, and no more of them than the page takes. */
export async function readPage<T>(
  items: AsyncIterable<T> | Iterable<T>,
  { limit = Number.POSITIVE_INFINITY, keyOf, write }: ReadOptions<T>,
): Promise<Page<Uint8Array>> {
  const page: Uint8Array[] = []
  let last: string | undefined
  let bytes = 0
  let read = 0
  for await (const item of items) {
    if (page.length >= limit || read > mostRead) return { items: page, next: last }
    const written = write(item)
    read += written.bytes.length
    if (written.isWanted) {
      bytes += written.bytes.length + 1
      if (page.length > 0 && bytes > longestPage) return { items: page, next: last }
      page.push(written.bytes)
    }
    last = keyOf(item)
  }
  return { items: page, next: undefined }
}

/**
 * The client's `n`, at most 1,000; `undefined` where it names none.
 * @throws OciError PAGINATION_NUMBER_INVALID
 */
export function pageLimit(query: URLSearchParams): number | undefined {
  const text = query.get('n')
  if (text === null) return undefined
  if (!/^\d+$/.test(text))
    throw new OciError('PAGINATION_NUMBER_INVALID', 'The query has an n that is no whole number.')
  return Math.min(Number(text), mostItems)
}

/** RFC 8288, relative: a client refuses a Link to another origin, and what we are called outside we do not know. */
export function nextLink(target: Named, parameters: Record<string, string | string[] | undefined>): string {
  const query = new URLSearchParams()
  for (const [name, values] of Object.entries({ ...parameters, ns: target.ns }))
    for (const value of [values ?? []].flat()) query.append(name, value)
  return `<${target.path}?${query.toString()}>; rel="next"`
}

function firstAfter<T>(items: readonly T[], key: string, keyOf: (item: T) => string): number {
  let [low, high] = [0, items.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const item = items[middle]
    if (item !== undefined && keyOf(item) <= key) low = middle + 1
    else high = middle
  }
  return low
}
