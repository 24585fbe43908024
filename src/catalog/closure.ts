/** What a manifest reaches, and whether all of it is kept: a client that gets a manifest asks the same endpoint for the rest. */
import type { Digest } from '../oci/digest.ts'
import type { ManifestFacts } from '../oci/manifest.ts'
import type { Content } from './content.ts'
import type { EdgesRecord, Kind, Link, RepositoryKey } from './records.ts'

/** Which links count: some may be hidden from this client. */
export type Sees = (link: Link) => boolean

/**
 * Whether a client that is given this manifest can be given everything else: config and layers, and for an index at least one
 * platform (never `unknown/unknown`, which is an attestation).
 */
export function isComplete(
  content: Content,
  repository: RepositoryKey,
  root: Digest,
  sees: Sees = () => true,
): Promise<boolean> {
  /** An index that a hostile upstream nests in many ways is looked at once: found complete, it would have ended the search. */
  const seen = new Set<Digest>()

  async function isThere(kind: Kind, digest: Digest): Promise<boolean> {
    const link = await content.link(repository, kind, digest)
    return link !== undefined && sees(link) && (await content.blob(digest)) !== undefined
  }

  async function reaches(digest: Digest): Promise<boolean> {
    if (seen.has(digest)) return false
    seen.add(digest)
    if (!(await isThere('manifest', digest))) return false
    const edges = await content.edges(digest)
    if (!edges) return true
    if (edges.kind === 'image') {
      return allOf(
        edges.children.filter((child) => child.needed),
        (child) => isThere('blob', child.digest),
      )
    }
    const platforms = edges.children.filter((child) => child.runnable)
    return platforms.length === 0 || anyOf(platforms, (child) => reaches(child.digest))
  }

  return reaches(root)
}

export function edgesOf(facts: ManifestFacts): EdgesRecord | undefined {
  if (facts.kind !== 'index' && facts.kind !== 'image') return undefined
  const children = facts.children.map((child) => ({
    digest: child.digest,
    size: child.size,
    needed: !child.foreign,
    runnable: child.platform === undefined || child.platform.os !== 'unknown',
  }))
  return { kind: facts.kind, children }
}

async function anyOf<T>(items: T[], holds: (item: T) => Promise<boolean>): Promise<boolean> {
  for (const item of items) if (await holds(item)) return true
  return false
}

async function allOf<T>(items: T[], holds: (item: T) => Promise<boolean>): Promise<boolean> {
  for (const item of items) if (!(await holds(item))) return false
  return true
}
