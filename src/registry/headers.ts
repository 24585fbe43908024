/** The headers that answers share (protocol.md of the design: the contract that satisfies all clients). */
import type { Digest } from '../oci/digest.ts'
import type { Freshness } from '../repository/repository.ts'

export type HeaderMap = Record<string, string>

const longestWarning = 4096

/** On every answer of every route. */
export function commonHeaders(): HeaderMap {
  return {
    'Docker-Distribution-Api-Version': 'registry/2.0',
    'X-Content-Type-Options': 'nosniff',
    // Whatever was pushed: opened in a browser it is no page of ours, and runs nothing.
    'Content-Security-Policy': "default-src 'none'; sandbox",
  }
}

/** How an answer of a repository came to be: `Entrepot-Cache`, `Age`, `Warning`. */
export function freshnessHeaders(freshness: Freshness): HeaderMap {
  return {
    'Entrepot-Cache': freshness.cache,
    ...(freshness.age !== undefined && { Age: String(Math.max(0, Math.trunc(freshness.age))) }),
    ...(freshness.warning !== undefined && { Warning: warningOf(freshness.warning) }),
  }
}

/** Which tag a range became; none where the reference itself was the tag. */
export function resolvedHeaders(tag: string | undefined): HeaderMap {
  return tag === undefined ? {} : { 'Entrepot-Resolved-Tag': tag }
}

/** What names content: `Docker-Content-Digest` and the ETag made of it. */
export function digestHeaders(digest: Digest): HeaderMap {
  return { 'Docker-Content-Digest': digest, ETag: etagOf(digest) }
}

export function etagOf(digest: Digest): string {
  return `"${digest}"`
}

/** `299 - "text"` without a date, at most 4096 bytes (distribution spec, "Warnings"): podman and containerd print it. */
function warningOf(text: string): string {
  const [start, end] = ['299 - "', '"']
  const plain = text.replaceAll(/[^\u0020-\u007e]/g, ' ')
  const room = longestWarning - start.length - end.length
  let quoted = ''
  for (const character of plain) {
    const piece = character === '"' || character === '\\' ? `\\${character}` : character
    if (quoted.length + piece.length > room) break
    quoted += piece
  }
  return start + quoted + end
}
