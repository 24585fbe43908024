/** Conditional requests for content, whose ETag is its digest (RFC 9110 section 13). */
import type { Digest } from '../oci/digest.ts'
import type { Freshness } from '../repository/repository.ts'
import type { Answer } from './answer.ts'
import type { Head } from './guard.ts'
import { digestHeaders, etagOf, freshnessHeaders, type HeaderMap } from './headers.ts'

/** Whether the client has the content already, as its If-None-Match says; weak comparison (section 13.1.2). */
export function isHeld(head: Head, digest: Digest): boolean {
  const wanted = etagOf(digest)
  const tags = head.header('if-none-match').join().split(',')
  return tags.some((tag) => [wanted, `W/${wanted}`, '*'].includes(tag.trim()))
}

/** Whether the Range of a request counts: one with an If-Range does for the same content only; strong comparison (section 13.1.5). */
export function isRangeMeant(head: Head, digest: Digest): boolean {
  const onlyIf = head.header('if-range')
  return onlyIf.length === 0 || onlyIf.join() === etagOf(digest)
}

/** @param more what a 200 would carry besides (section 15.4.5) */
export function notModified(digest: Digest, freshness: Freshness, more: HeaderMap = {}): Answer {
  return { status: 304, headers: { ...digestHeaders(digest), ...freshnessHeaders(freshness), ...more } }
}
