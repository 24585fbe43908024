/** Manifests of one upstream: by digest for ever, by tag as long as they are fresh. */
import type { Catalog } from '../catalog/catalog.ts'
import { edgesOf, isComplete } from '../catalog/closure.ts'
import type { KeptManifest } from '../catalog/content.ts'
import type { Link, RepositoryKey } from '../catalog/records.ts'
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts'
import { UpstreamError } from '../oci/errors.ts'
import { readManifest } from '../oci/manifest.ts'
import type { Reference, Tag } from '../oci/name.ts'
import type { Freshness, Manifest } from '../repository/repository.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Answer, KeptAnswer } from './answer.ts'
import type { Visible } from './links.ts'

/** ms for all calls that one answer takes: containerd gives up at 30 s. */
const callTime = 20_000

export interface ManifestOptions {
  catalog: Catalog
  upstream: Upstream
  answer: Answer
  visible: Visible
  freshFor: number
  offline: boolean
  now: () => number
}

export interface Manifests {
  get(repository: RepositoryKey, reference: Reference): Promise<Manifest | undefined>
}

export function createManifests(options: ManifestOptions): Manifests {
  const { catalog, upstream, answer, visible, now } = options

  return {
    async get(repository, reference) {
      return 'digest' in reference ? byDigest(repository, reference.digest) : byTag(repository, reference.tag)
    },
  }

  // A digest is always fresh: where it is kept, no call is made to find out. What is not kept is asked for as any question is,
  // and being kept from then on is what its freshness comes down to.
  async function byDigest(repository: RepositoryKey, digest: Digest): Promise<Manifest | undefined> {
    const kept = await keptManifest(repository, digest)
    const usable = kept && (!options.offline || (await isComplete(catalog, repository, digest)))
    if (usable) return manifestOf(kept, { cache: 'hit' })
    const told = await answer({
      key: `manifest ${repository.origin} ${repository.name} ${digest}`,
      kept: async () => undefined,
      freshFor: 0,
      unknown: 'MANIFEST_UNKNOWN',
      ask: async () => {
        const fetched = await fetch(repository, { digest }, callTime)
        return fetched && { value: fetched, changed: true }
      },
    })
    return told && manifestOf(told.value, { cache: told.cache })
  }

  async function byTag(repository: RepositoryKey, tag: Tag): Promise<Manifest | undefined> {
    const told = await answer<KeptManifest>({
      key: `tag ${repository.origin} ${repository.name} ${tag}`,
      kept: () => keptTag(repository, tag),
      freshFor: options.freshFor,
      unknown: 'MANIFEST_UNKNOWN',
      ask: (kept) => askTag(repository, tag, kept),
    })
    return told && manifestOf(told.value, told)
  }

  async function keptManifest(repository: RepositoryKey, digest: Digest): Promise<KeptManifest | undefined> {
    const kept = await catalog.manifest(repository, digest)
    return kept && visible(kept.link) ? kept : undefined
  }

  async function keptTag(repository: RepositoryKey, tag: Tag): Promise<KeptAnswer<KeptManifest> | undefined> {
    const record = await catalog.tag(repository, tag)
    const kept = record && (await keptManifest(repository, record.digest))
    if (!record || !kept) return undefined
    return {
      value: kept,
      checkedAt: record.checkedAt,
      isComplete: () => isComplete(catalog, repository, record.digest),
    }
  }

  // HEAD is free where GETs are rationed (Docker Hub counts GETs of manifests): GET only what changed, and then by digest.
  async function askTag(repository: RepositoryKey, tag: Tag, kept: KeptAnswer<KeptManifest> | undefined) {
    const startedAt = now()
    const head = kept && (await upstream.headManifest(repository.name, { tag }, { within: callTime }))
    if (kept && !head) return undefined
    if (kept && head?.digest === kept.value.digest) {
      const before = await catalog.tag(repository, tag)
      const changedAt = before?.changedAt ?? startedAt
      await catalog.setTag(repository, tag, { digest: kept.value.digest, checkedAt: startedAt, changedAt })
      return { value: kept.value, changed: false }
    }
    const known = head?.digest && (await keptManifest(repository, head.digest))
    if (known) {
      await catalog.setTag(repository, tag, { digest: known.digest, checkedAt: startedAt, changedAt: startedAt })
      return { value: known, changed: true }
    }
    const left = Math.max(1, callTime - (now() - startedAt))
    const fetched = await fetch(repository, head?.digest ? { digest: head.digest } : { tag }, left, { tag, startedAt })
    return fetched && { value: fetched, changed: fetched.digest !== kept?.value.digest }
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
    const tag = asked && {
      tag: asked.tag,
      record: { digest, checkedAt: asked.startedAt, changedAt: asked.startedAt },
    }
    await catalog.keep({ digest, bytes: { bytes: sent.bytes }, links: [link], edges: edgesOf(facts), tag })
    return { digest, bytes: sent.bytes, link }
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
