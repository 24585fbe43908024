/** What of an index is to be imported, and under which tag; what cannot be pushed at all is known before anything is fetched. */
import { parseName, parseTag, type RepositoryName, type Tag } from '../oci/name.ts'
import { isChartVersion } from './chart-version.ts'
import { tagOf } from './helm-push.ts'
import type { ChartIndex, IndexEntry } from './index-file.ts'

export interface Wish {
  /** Before the names of the charts: `charts/`. */
  to: string
  /** Which versions; absent: all, and what is none is left out with that reason. */
  includes?: ((version: string) => boolean) | undefined
  /** Names, in which `*` stands for any characters; empty: every chart. */
  charts: readonly string[]
}

export interface ChosenChart {
  entry: IndexEntry
  repository: RepositoryName
  tag: Tag
  /** Where its archive is, the best first. */
  urls: URL[]
}

/** What is not imported, or not as it should be, and why: the end of a sentence. */
export interface Remark {
  name: string
  version: string
  reason: string
}

export interface Selection {
  chosen: ChosenChart[]
  /** Entries that are not wished for. */
  others: number
  leftOut: Remark[]
  notes: Remark[]
}

/** @param base of addresses without a host */
export function selectCharts(index: ChartIndex, wish: Wish, base: URL): Selection {
  const wished = index.entries.filter((entry) => isWished(entry, wish))
  const unread = index.unread.filter(({ name }) => isNamed(name, wish.charts))
  const selection: Selection = { chosen: [], others: 0, leftOut: [], notes: [] }
  selection.others = index.entries.length - wished.length + index.unread.length - unread.length
  for (const { name, version, problem } of unread) selection.leftOut.push({ name, version, reason: problem })
  const byTag = new Map<string, IndexEntry>()
  for (const entry of wished) choose(entry, { wish, base, byTag, selection })
  return selection
}

interface Choosing {
  wish: Wish
  base: URL
  byTag: Map<string, IndexEntry>
  selection: Selection
}

function choose(entry: IndexEntry, { wish, base, byTag, selection }: Choosing): void {
  const { name, version } = entry
  const leaveOut = (reason: string) => void selection.leftOut.push({ name, version, reason })
  const note = (reason: string) => void selection.notes.push({ name, version, reason })
  const repository = name.includes('/') ? undefined : parseName(`${wish.to}${name}`)
  if (!repository)
    return leaveOut('its name cannot be pushed: a registry allows a-z, 0-9, and single . _ - between them')
  if (!isChartVersion(version)) return leaveOut('its version is none')
  const tag = parseTag(tagOf(version))
  if (!tag) return leaveOut('its version cannot be pushed: a tag has at most 128 characters')
  const urls = entry.urls.flatMap((url) => urlOf(url, base) ?? [])
  if (urls.length === 0) return leaveOut(whyNoUrl(entry.urls))
  const first = byTag.get(`${repository}:${tag}`)
  if (first && (first.digest === undefined || first.digest !== entry.digest))
    return leaveOut(`the index has it twice: the tag ${tag} goes to the first, ${first.version}`)
  if (first) return note('the index has it twice, with one digest')
  byTag.set(`${repository}:${tag}`, entry)
  selection.chosen.push({ entry, repository, tag, urls })
  if (!entry.digest) note('the index has no digest of it: what arrives is believed')
}

function isWished({ name, version }: IndexEntry, { includes, charts }: Wish): boolean {
  return isNamed(name, charts) && (includes?.(version) ?? true)
}

function isNamed(name: string, charts: readonly string[]): boolean {
  return charts.length === 0 || charts.some((chart) => matches(name, chart.split('*')))
}

/** @param parts of a pattern between its stars */
function matches(name: string, [first = '', ...rest]: string[]): boolean {
  const last = rest.pop()
  if (last === undefined) return name === first
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last)) return false
  let at = first.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= name.length - last.length
}

/** The query of the base goes along, as Helm has it (ResolveReferenceURL): some repositories take their token there. */
function urlOf(text: string, base: URL): URL | undefined {
  const isRelative = !URL.canParse(text)
  const url = URL.parse(text, base)
  if (!url || !['http:', 'https:'].includes(url.protocol)) return undefined
  if (isRelative && url.origin === base.origin && url.search === '') url.search = base.search
  // Whom the index would have us be is not ours to tell.
  url.hash = url.username = url.password = ''
  return url
}

function whyNoUrl(urls: string[]): string {
  const oci = urls.find((url) => url.startsWith('oci://'))
  if (oci !== undefined) return `it is in an OCI registry already: ${oci}`
  return urls.length === 0 ? 'the index has no address of it' : 'its address is neither http nor https'
}
