/** What a manifest reaches, and whether all of it is kept: a client that gets a manifest asks the same endpoint for the rest. */
import type { Digest } from '../oci/digest.ts'
import type { ManifestFacts } from '../oci/manifest.ts'
import type { Content } from './content.ts'
import type { EdgesRecord, RepositoryKey } from './records.ts'

/**
 * Whether a client that is given this manifest can be given everything else: config and layers, and for an index at least one
 * platform (never `unknown/unknown`, which is an attestation).
 */
export async function isComplete(content: Content, repository: RepositoryKey, digest: Digest): Promise<boolean> {
  if (!(await content.link(repository, 'manifest', digest)) || !(await content.blob(digest))) return false
  const edges = await content.edges(digest)
  if (!edges) return true
  if (edges.kind === 'index') {
    const platforms = edges.children.filter((child) => child.runnable)
    if (platforms.length === 0) return true
    return anyOf(platforms, (child) => isComplete(content, repository, child.digest))
  }
  return allOf(
    edges.children.filter((child) => child.needed),
    async (child) =>
      (await content.link(repository, 'blob', child.digest)) !== undefined &&
      (await content.blob(child.digest)) !== undefined,
  )
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
