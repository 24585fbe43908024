/** Repositories whose truth is an upstream. One `Proxied` an upstream; its repositories share downloads and answers. */
import type { Catalog } from '../catalog/catalog.ts'
import type { Room } from '../catalog/room.ts'
import type { RepositoryName } from '../oci/name.ts'
import type { Repository } from '../repository/repository.ts'
import type { Spools } from '../store/spools.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { createBlobs } from './blobs.ts'
import type { Policies } from './freshness.ts'
import { visibleLinks } from './links.ts'
import { createLists } from './lists.ts'
import { createManifests } from './manifests.ts'

export interface ProxiedOptions extends Policies {
  catalog: Catalog
  upstream: Upstream
  spools: Spools
  room: Room
  /** ms: of tags and referrers, and of lists of tags. */
  freshFor: number
  listsFreshFor: number
  offline: boolean
  allowAnonymousLan: boolean
  shared: boolean
  warn: (message: string, error: unknown) => void
  /** ms that a client waits where something is kept, and that a failed refresh rests; default 3 s and 10 s. */
  deadline?: number
  restAfterFailure?: number
  /** ms for all calls that one answer takes, until its headers are in; default 20 s, since containerd gives up at 30 s. */
  callTime?: number
  now?: () => number
}

export interface Proxied {
  repository(name: RepositoryName): Repository
  /** Ends the downloads in flight, whose partials stay, and settles when their last byte is written. */
  close(): Promise<void>
}

export function createProxied(options: ProxiedOptions): Proxied {
  const { upstream, now = Date.now, callTime = 20_000 } = options
  const shared = {
    ...options,
    now,
    callTime,
    visible: visibleLinks(options),
  }
  const manifests = createManifests(shared)
  const lists = createLists(shared)
  const blobs = createBlobs(shared)

  return {
    close: () => blobs.close(),
    repository(name) {
      const repository = { origin: upstream.name, name }
      return {
        key: `${upstream.name}/${name}`,
        manifest: (reference) => manifests.get(repository, reference),
        stat: (digest) => blobs.stat(repository, digest),
        blob: (digest, range) => blobs.open(repository, digest, range),
        tags: () => lists.tags(repository),
        knows: (tag) => lists.knows(repository, tag),
        lacks: (tag) => lists.lacks(repository, tag),
        kept: (tag) => manifests.kept(repository, tag),
        firstComplete: (tags) => lists.firstComplete(repository, tags),
        referrers: (subject, after) => lists.referrers(repository, subject, after),
      }
    },
  }
}
