/** The real Upstream: the pull side of the distribution API over one connector, one authorizer and one budget. */
import { parseDigest } from '../oci/digest.ts'
import { maxManifestBytes } from '../oci/manifest.ts'
import { isManifestType, manifestAccept } from '../oci/media-types.ts'
import type { Reference, RepositoryName } from '../oci/name.ts'
import { contentLengthOf, failureOfAnswer, isWebPage, mediaTypeOf } from './answers.ts'
import type { Authorizer } from './authorizer.ts'
import type { BudgetOptions } from './budget.ts'
import { createCaller } from './call.ts'
import type { Connector } from './connector.ts'
import type { Answer } from './exchange.ts'
import { wrong } from './failure.ts'
import { createLists, type GetPage } from './lists.ts'
import type { UpstreamResponse } from './send.ts'
import { type TransferBounds, transferOf } from './transfer.ts'
import type { CallOptions, Upstream } from './upstream.ts'

export interface UpstreamOptions {
  /** The host as clients know it. */
  name: string
  /** Where it really is, `http:` or `https:`; a path in it is put before `/v2/`. */
  url: URL
  /** Closed with the upstream. */
  connector: Connector
  authorizer: Authorizer
  budget?: Omit<BudgetOptions, 'upstream'>
  /** Default 1,000. */
  tagsPageSize?: number
  transfers?: TransferBounds
}

export function createUpstream({ name: upstream, url: base, ...options }: UpstreamOptions): Upstream {
  const { connector, authorizer, budget, tagsPageSize, transfers: limits } = options
  const call = createCaller({ upstream, url: base, connector, authorizer, budget })
  const repositoryUrl = (repository: RepositoryName) =>
    new URL(`${base.pathname.replace(/\/+$/, '')}/v2/${repository}/`, base.origin)
  const urlOf = (repository: RepositoryName, rest: string) => new URL(rest, repositoryUrl(repository))
  const lists = createLists({ upstream, repositoryUrl, tagsPageSize })

  /** All pages of a list together have the time of one call; each has its own retries. */
  const pageGetter = (repository: RepositoryName, callOptions: CallOptions = {}): GetPage => {
    const deadline = performance.now() + (callOptions.within ?? budget?.within ?? 20_000)
    return (url, accept, redirects, read) => {
      const within = Math.max(1, deadline - performance.now())
      return call(
        { kind: 'lists', repository, method: 'GET', url, accept, redirects },
        { ...callOptions, within },
        read,
      )
    }
  }

  return {
    name: upstream,
    credentialIdentity: (repository) => authorizer.identity(repository),
    headManifest(repository, reference, callOptions) {
      const request = {
        method: 'HEAD',
        url: urlOf(repository, manifestPath(reference)),
        accept: manifestAccept,
      } as const
      return call({ kind: 'heads', repository, ...request }, callOptions, (answer) =>
        readManifestHead(upstream, answer),
      )
    },
    getManifest(repository, reference, callOptions) {
      const request = {
        method: 'GET',
        url: urlOf(repository, manifestPath(reference)),
        accept: manifestAccept,
      } as const
      return call({ kind: 'manifests', repository, ...request }, callOptions, (answer) =>
        readManifest(upstream, answer),
      )
    },
    headBlob(repository, digest, callOptions) {
      const request = { method: 'HEAD', url: urlOf(repository, `blobs/${digest}`), accept: '*/*' } as const
      return call({ kind: 'heads', repository, ...request }, callOptions, (answer) => readBlobHead(upstream, answer))
    },
    getBlob(repository, digest, callOptions) {
      const from = callOptions?.from ?? 0
      const request = { method: 'GET', url: urlOf(repository, `blobs/${digest}`), accept: '*/*', from } as const
      return call({ kind: 'blobs', repository, ...request }, callOptions, async (answer, abort) =>
        isAbsent(answer) ? undefined : await transferOf({ upstream, answer, asked: from, abort, limits }),
      )
    },
    tags: (repository, callOptions) => lists.tags(repository, pageGetter(repository, callOptions)),
    referrers: (repository, subject, callOptions) =>
      lists.referrers(repository, subject, pageGetter(repository, callOptions)),
    close: () => connector.close(),
  }
}

function manifestPath(reference: Reference): string {
  return `manifests/${'digest' in reference ? reference.digest : reference.tag}`
}

/** Upstream's own 404 alone says that something does not exist; it is read away, and its connection kept. */
function isAbsent({ response, isOwn }: Answer): boolean {
  if (response.status !== 404 || !isOwn) return false
  response.discard()
  return true
}

/** A registry without HEAD (405) exists all the same: its digest is found out by GET. */
async function readManifestHead(upstream: string, answer: Answer) {
  if (isAbsent(answer)) return undefined
  const { response, host } = answer
  if (response.status !== 200 && response.status !== 405) throw await failureOfAnswer(upstream, host, response)
  response.discard()
  if (response.status === 405) return { digest: undefined }
  const mediaType = mediaTypeOf(response)
  if (mediaType !== '' && !isManifestType(mediaType)) throw noManifest(upstream, mediaType)
  return { digest: contentDigestOf(response) }
}

async function readManifest(upstream: string, answer: Answer) {
  if (isAbsent(answer)) return undefined
  const { response, host } = answer
  if (response.status !== 200) throw await failureOfAnswer(upstream, host, response)
  const mediaType = mediaTypeOf(response)
  if (!isManifestType(mediaType)) {
    response.discard()
    throw noManifest(upstream, mediaType)
  }
  const bytes = await response.bytes(maxManifestBytes)
  if (bytes.length === 0) throw wrong(upstream, `${upstream} sent an empty manifest.`)
  return { bytes, mediaType, digest: contentDigestOf(response) }
}

async function readBlobHead(upstream: string, answer: Answer) {
  if (isAbsent(answer)) return undefined
  const { response, host } = answer
  if (response.status !== 200) throw await failureOfAnswer(upstream, host, response)
  response.discard()
  if (isWebPage(response)) throw wrong(upstream, `${upstream} (${host}) answered with a web page instead of a blob.`)
  return { size: contentLengthOf(response) }
}

function contentDigestOf(response: UpstreamResponse) {
  const [text = ''] = response.header('docker-content-digest')
  return parseDigest(text.trim())
}

function noManifest(upstream: string, mediaType: string) {
  const type = /^[\x21-\x7e]{1,100}$/.test(mediaType) ? mediaType : 'none that can be read'
  return wrong(upstream, `${upstream} sent something whose Content-Type is no manifest's: ${type}.`)
}
