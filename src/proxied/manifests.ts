/** Manifests of one upstream: by digest for ever, by tag as long as they are fresh. */
import type { Catalog } from '../catalog/catalog.ts'
import { edgesOf, isComplete, isTagComplete } from '../catalog/closure.ts'
import type { Keeping } from '../catalog/content.ts'
import type { KeptManifest } from '../catalog/manifest-reader.ts'
import { sizeOf } from '../catalog/places.ts'
import type { Room } from '../catalog/room.ts'
import type { Link, RepositoryKey, TagRecord } from '../catalog/records.ts'
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts'
import { UpstreamError } from '../oci/errors.ts'
import { readManifest } from '../oci/manifest.ts'
import type { Reference, Tag } from '../oci/name.ts'
import type { Freshness, Manifest } from '../repository/repository.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { type AnswerOptions, createAnswer, type KeptAnswer } from './answer.ts'
import type { Visible } from './links.ts'
import { createTryKeeping } from './try-keeping.ts'

export interface ManifestOptions extends AnswerOptions {
  catalog: Catalog
  upstream: Upstream
  room: Room
  visible: Visible
  freshFor: number
  /** ms for all calls that one answer takes. */
  callTime: number
  warn: (message: string, error: unknown) => void
  now: () => number
}

export interface Manifests {
  get(repository: RepositoryKey, reference: Reference): Promise<Manifest | undefined>
  /** What a tag meant when it was last asked for, marked as stale; no call. */
  kept(repository: RepositoryKey, tag: Tag): Promise<Manifest | undefined>
}

export function createManifests(options: ManifestOptions): Manifests {
  const { catalog, upstream, room, visible, now, callTime } = options
  const answer = createAnswer<KeptManifest>(options)
  const tryKeeping = createTryKeeping(options.warn)

  return {
    async get(repository, reference) {
      return 'digest' in reference ? byDigest(repository, reference.digest) : byTag(repository, reference.tag)
    },
    async kept(repository, tag) {
      const kept = await keptTag(repository, tag)
      return kept && manifestOf(kept.value, { cache: 'stale', age: ageOf(kept.checkedAt) })
    },
  }

  // A digest is always fresh: where it is kept, no call is made to find out.
  async function byDigest(repository: RepositoryKey, digest: Digest): Promise<Manifest | undefined> {
    const told = await answer({
      key: `manifest ${repository.origin} ${repository.name} ${digest}`,
      kept: () => keptDigest(repository, digest),
      freshFor: Number.POSITIVE_INFINITY,
      unknown: 'MANIFEST_UNKNOWN',
      ask: async () => {
        const fetched = await fetch(repository, { digest }, callTime)
        return fetched && { value: fetched, changed: true }
      },
    })
    return told && manifestOf(told.value, { cache: told.cache })
  }

  async function byTag(repository: RepositoryKey, tag: Tag): Promise<Manifest | undefined> {
    const told = await answer({
      key: `tag ${repository.origin} ${repository.name} ${tag}`,
      kept: () => keptTag(repository, tag),
      freshFor: options.freshFor,
      unknown: 'MANIFEST_UNKNOWN',
      ask: (kept) => askTag(repository, tag, kept),
    })
    return told && manifestOf(told.value, told)
  }

  // A clock that was set back must not give an age below 0.
  function ageOf(checkedAt: number): number {
    return Math.max(0, Math.floor((now() - checkedAt) / 1000))
  }

  async function keptManifest(repository: RepositoryKey, digest: Digest): Promise<KeptManifest | undefined> {
    const kept = await catalog.manifest(repository, digest)
    return kept && visible(kept.link) ? kept : undefined
  }

  async function keptDigest(repository: RepositoryKey, digest: Digest): Promise<KeptAnswer<KeptManifest> | undefined> {
    const value = await keptManifest(repository, digest)
    const isWhole = () => isComplete(catalog, repository, digest, visible)
    return value && { value, checkedAt: now(), isComplete: isWhole }
  }

  async function keptTag(repository: RepositoryKey, tag: Tag): Promise<KeptAnswer<KeptManifest> | undefined> {
    const record = await catalog.tag(repository, tag)
    const kept = record && (await keptDigest(repository, record.digest))
    const isWhole = async () => record !== undefined && isTagComplete(catalog, repository, tag, record.digest, visible)
    return kept && { ...kept, checkedAt: record.checkedAt, isComplete: isWhole }
  }

  // HEAD is free where GETs are rationed (Docker Hub counts GETs of manifests): GET only what changed, and then by digest.
  async function askTag(repository: RepositoryKey, tag: Tag, kept: KeptAnswer<KeptManifest> | undefined) {
    const startedAt = now()
    const by = performance.now() + callTime
    const head = kept && (await upstream.headManifest(repository.name, { tag }, { within: callTime }))
    if (kept && !head) return undefined
    const known = head?.digest && (await keptManifest(repository, head.digest))
    if (known) {
      const record = await tagRecord(repository, tag, known.digest, startedAt)
      await tryKeeping('a tag', () => catalog.setTag(repository, tag, record))
      return { value: known, changed: known.digest !== kept?.value.digest }
    }
    const left = Math.max(1, by - performance.now())
    const fetched = await fetch(repository, head?.digest ? { digest: head.digest } : { tag }, left, { tag, startedAt })
    return fetched && { value: fetched, changed: fetched.digest !== kept?.value.digest }
  }

  async function tagRecord(repository: RepositoryKey, tag: Tag, digest: Digest, checkedAt: number): Promise<TagRecord> {
    const before = await catalog.tag(repository, tag)
    return { digest, checkedAt, changedAt: before?.digest === digest ? before.changedAt : checkedAt }
  }

  /** GET, verify, and keep with its link, and with the tag that it was asked for by. */
  async function fetch(
    repository: RepositoryKey,
    reference: Reference,
    within: number,
    asked?: { tag: Tag; startedAt: number },
  ) {
    const sent = await upstream.getManifest(repository.name, reference, { within })
    if (!sent) return undefined
    const expected = 'digest' in reference ? reference.digest : sent.digest
    const digest = digestOf(sent.bytes, expected && algorithmOf(expected))
    if (expected && digest !== expected) throw wrong(`a manifest whose digest is ${digest}, not ${expected}`)
    const facts = readFacts(sent)
    const link: Link = {
      repository,
      kind: 'manifest',
      digest,
      mediaType: sent.mediaType,
      proof: 'fetched',
      credential: await upstream.credentialIdentity(repository.name),
      at: now(),
    }
    const tags = asked && [{ tag: asked.tag, record: await tagRecord(repository, asked.tag, digest, asked.startedAt) }]
    await tryKeeping('a manifest', () => keep({ digest, bytes: sent, links: [link], edges: edgesOf(facts), tags }))
    return { digest, bytes: sent.bytes, link }
  }

  async function keep(keeping: Keeping): Promise<void> {
    const reservation = await room.reserve(sizeOf(keeping.bytes))
    if (!reservation) throw new Error('There is no room for it.')
    try {
      await catalog.keep({ ...keeping, reservation })
    } finally {
      reservation.release()
    }
  }

  function readFacts(sent: { bytes: Uint8Array; mediaType: string }) {
    try {
      return readManifest(sent.bytes, sent.mediaType)
    } catch (cause) {
      throw wrong(cause instanceof Error ? `a manifest that cannot be used (${cause.message})` : 'no manifest', cause)
    }
  }

  function wrong(what: string, cause?: unknown): UpstreamError {
    return new UpstreamError(upstream.name, 'wrong', 'UPSTREAM_INVALID', `${upstream.name} sent ${what}.`, { cause })
  }
}

function manifestOf(kept: KeptManifest, freshness: Freshness): Manifest {
  const { cache, age, warning } = freshness
  return { digest: kept.digest, mediaType: kept.link.mediaType, bytes: kept.bytes, cache, age, warning }
}
