/** What a manifest reaches, and whether all of it is kept: a client that gets a manifest asks the same endpoint for the rest. */
import type { Digest } from '../oci/digest.ts'
import type { ManifestFacts } from '../oci/manifest.ts'
import { isContainerConfigType, isContainerLayerType } from '../oci/media-types.ts'
import type { Tag } from '../oci/name.ts'
import type { Content } from './content.ts'
import type { EdgesRecord, Kind, Link, RepositoryKey } from './records.ts'

/** Which links count: some may be hidden from this client. */
export type Sees = (link: Link) => boolean

/** The tag schema's lists of referrers (distribution-spec, "Referrers Tag Schema"): an index that is read, not pulled. */
const listOfReferrers = /^sha(?:256|512)-[0-9a-f]{64}$/

/** Whether what a tag means can be served whole, as {@link isComplete} has it; a list of referrers always is. */
export async function isTagComplete(
  content: Content,
  repository: RepositoryKey,
  tag: Tag,
  root: Digest,
  sees: Sees = () => true,
): Promise<boolean> {
  if (!listOfReferrers.test(tag)) return isComplete(content, repository, root, sees)
  return isThere(content, { repository, kind: 'manifest', digest: root }, sees)
}

/**
 * Whether a client that is given this manifest can be given everything else: config and layers, and for an index at least one
 * platform (never `unknown/unknown`, which is an attestation). Of an artifact clients take what they want (Helm leaves a chart's
 * provenance, oras the empty config), so that one layer tells that it was pulled.
 */
export function isComplete(
  content: Content,
  repository: RepositoryKey,
  root: Digest,
  sees: Sees = () => true,
): Promise<boolean> {
  /** An index that a hostile upstream nests in many ways is looked at once: found complete, it would have ended the search. */
  const seen = new Set<Digest>()

  const hasBlob = ({ digest }: { digest: Digest }) => isThere(content, { repository, kind: 'blob', digest }, sees)

  async function reaches(digest: Digest): Promise<boolean> {
    if (seen.has(digest)) return false
    seen.add(digest)
    if (!(await isThere(content, { repository, kind: 'manifest', digest }, sees))) return false
    const edges = await content.edges(digest)
    if (!edges) return true
    const needed = edges.children.filter((child) => child.needed)
    if (edges.kind === 'image') return allOf(needed, hasBlob)
    if (edges.kind === 'artifact') return needed.length === 0 || anyOf(needed, hasBlob)
    const platforms = edges.children.filter((child) => child.runnable)
    return platforms.length === 0 || anyOf(platforms, (child) => reaches(child.digest))
  }

  return reaches(root)
}

export function edgesOf(facts: ManifestFacts): EdgesRecord | undefined {
  if (facts.kind !== 'index' && facts.kind !== 'image') return undefined
  const kind = facts.kind === 'image' && !isContainer(facts) ? 'artifact' : facts.kind
  const children = facts.children.map((child, index) => ({
    digest: child.digest,
    size: child.size,
    needed: !child.foreign && (kind !== 'artifact' || index > 0),
    runnable: child.platform === undefined || child.platform.os !== 'unknown',
  }))
  return { kind, children }
}

/** An image's first child is its config. Under the one of a container cosign keeps signatures, whose config no client reads. */
function isContainer({ children: [config, ...layers] }: ManifestFacts): boolean {
  if (config === undefined || !isContainerConfigType(config.mediaType)) return false
  return layers.length === 0 || layers.some(({ mediaType }) => isContainerLayerType(mediaType))
}

async function isThere(
  content: Content,
  { repository, kind, digest }: { repository: RepositoryKey; kind: Kind; digest: Digest },
  sees: Sees,
): Promise<boolean> {
  const link = await content.link(repository, kind, digest)
  return link !== undefined && sees(link) && (await content.blob(digest)) !== undefined
}

async function anyOf<T>(items: T[], holds: (item: T) => Promise<boolean>): Promise<boolean> {
  for (const item of items) if (await holds(item)) return true
  return false
}

async function allOf<T>(items: T[], holds: (item: T) => Promise<boolean>): Promise<boolean> {
  for (const item of items) if (!(await holds(item))) return false
  return true
}
