/** The order in which referrers are listed: that of their digests, which stays when the list changes between two pages. */
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'

/** Those above `after`, each once. */
export function inOrder(items: Iterable<Descriptor>, after?: Digest): Descriptor[] {
  const found = new Map<Digest, Descriptor>()
  for (const item of items) if (after === undefined || item.digest > after) found.set(item.digest, item)
  return [...found.values()].toSorted((one, other) => (one.digest < other.digest ? -1 : 1))
}
