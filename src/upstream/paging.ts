/** Lists that come in pages: the Link of each page leads to the next, within bounds, and never away from the list. */
import { wrong } from './failure.ts'

/** What one upstream list may amount to. */
export const pageLimits = { pages: 200, items: 100_000, bytes: 32 * 1024 * 1024 }
/** What one list of referrers may: whoever chooses the subjects chooses how many such lists are in memory at the same time. */
export const referrersLimits = { ...pageLimits, bytes: 8 * 1024 * 1024 }

export interface Page<T> {
  items: T[]
  /** Of the body. */
  bytes: number
  /** The Link header lines. */
  links: string[]
}

/**
 * All items, in the order in which they came. `page` gets the bytes that the rest of the list may still have; `undefined` from
 * the first page = there is no such list.
 * @throws UpstreamError `wrong` for a list without end or one that leads elsewhere
 */
export async function collectPages<T>(
  upstream: string,
  first: URL,
  page: (url: URL, bytesLeft: number) => Promise<Page<T> | undefined>,
  limits = pageLimits,
): Promise<T[] | undefined> {
  const items: T[] = []
  const seen = new Set<string>()
  let bytesLeft = limits.bytes
  let next: URL | undefined = first
  while (next) {
    if (seen.has(next.href)) throw wrong(upstream, `${upstream} sends a list whose pages lead in a circle.`)
    seen.add(next.href)
    if (seen.size > limits.pages) throw tooMuch(upstream, `${limits.pages} pages`)
    const url: URL = next
    const got = await page(url, bytesLeft)
    if (!got && url === first) return undefined
    if (!got) throw wrong(upstream, `${upstream} sends a list with a page that does not exist.`)
    bytesLeft -= got.bytes
    for (const item of got.items) items.push(item)
    if (items.length > limits.items) throw tooMuch(upstream, `${limits.items} items`)
    next = nextPage(upstream, got.links, url)
  }
  return items
}

/**
 * The next page (RFC 8288), relative or absolute. It must be on the same host and path; we stay with our own scheme, because a
 * registry behind a TLS proxy often writes `http:`.
 */
function nextPage(upstream: string, links: string[], from: URL): URL | undefined {
  const target = nextTarget(links)
  if (target === undefined) return undefined
  const link = URL.parse(target, from)
  if (!link) throw wrong(upstream, `${upstream} sends a list whose Link cannot be read.`)
  const isHere = hostOf(link, from) === from.host && link.pathname === from.pathname
  const isPlain = link.username === '' && link.password === '' && /^https?:$/.test(link.protocol)
  if (!isHere || !isPlain) throw wrong(upstream, `${upstream} sends a list whose next page is somewhere else.`)
  const next = new URL(from)
  next.search = link.search
  return next
}

/** The host with its port; a default port of either scheme counts as that of ours. */
function hostOf(link: URL, from: URL): string {
  return link.hostname === from.hostname && link.port === '' && from.port === '' ? from.host : link.host
}

function nextTarget(links: string[]): string | undefined {
  for (const line of links) {
    for (const [, target = '', parameters = ''] of line.matchAll(
      /<([^<>]*)>((?:\s*;\s*[\w*]+=(?:"[^"]*"|[^\s;,"]*))*)/g,
    )) {
      if (/;\s*rel="?(?:[^"]*\s)?next(?:\s[^"]*)?"?\s*(?:;|$)/i.test(parameters)) return target
    }
  }
  return undefined
}

function tooMuch(upstream: string, limit: string) {
  return wrong(upstream, `${upstream} sends a list of more than ${limit}.`)
}
