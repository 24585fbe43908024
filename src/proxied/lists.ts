/** What an upstream lists: the tags of a repository, and what refers to a digest. Never immutable, kept for when it is in trouble. */
import type { Catalog } from '../catalog/catalog.ts'
import { isTagComplete } from '../catalog/closure.ts'
import type { ReferrersRecord, RepositoryKey, TagRecord, TagsRecord } from '../catalog/records.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import type { Tag } from '../oci/name.ts'
import { inOrder } from '../repository/referrers.ts'
import type { Freshness, Listing, Sequence } from '../repository/repository.ts'
import { timedOut } from '../upstream/failure.ts'
import { createSlots } from '../upstream/slots.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { type AnswerOptions, createAnswer } from './answer.ts'
import type { Visible } from './links.ts'
import { createTryKeeping } from './try-keeping.ts'

export interface ListOptions extends AnswerOptions {
  catalog: Catalog
  upstream: Upstream
  visible: Visible
  /** ms: of tags/list, and of referrers. */
  listsFreshFor: number
  freshFor: number
  /** ms for all calls that one answer takes. */
  callTime: number
  warn: (message: string, error: unknown) => void
  now: () => number
}

export interface Lists {
  tags(repository: RepositoryKey): Promise<Listing<Tag> | undefined>
  knows(repository: RepositoryKey, tag: Tag): Promise<boolean | undefined>
  lacks(repository: RepositoryKey, tag: Tag): Promise<boolean>
  firstComplete(repository: RepositoryKey, tags: Iterable<string>): Promise<Tag | undefined>
  referrers(repository: RepositoryKey, subject: Digest, after?: Digest): Promise<Sequence<Descriptor> | undefined>
}

/** A kept list is read once more when it is told: many clients that wait for their turn hold no list each. */
type ReadReferrers = () => Promise<Descriptor[]>

/** "No such API" lasts: an upstream does not grow one within minutes (docs/architecture.md, Referrers). */
const noReferrersFor = 10 * 60_000

/** Lists of referrers that are collected from one upstream at a time: each may be of many MiB. */
const mostCollected = 4

const keptWhole = 'the tags that are kept whole here (offline mode)'

export function createLists(options: ListOptions): Lists {
  const { catalog, upstream, visible, now, callTime } = options
  const answerTags = createAnswer<Tag[]>(options)
  const answerMissing = createAnswer<boolean>(options)
  const answerReferrers = createAnswer<ReadReferrers | undefined>(options)
  const tryKeeping = createTryKeeping(options.warn)
  const collecting = createSlots(mostCollected)

  return {
    tags: (repository) => (options.offline ? tagsThatWork(repository) : tagsOf(repository)),

    async knows(repository, tag) {
      const record = await catalog.tag(repository, tag)
      const link = record && (await catalog.link(repository, 'manifest', record.digest))
      if (record && (!link || visible(link))) return true
      const list = await keptTags(repository)
      // Offline there is nobody left who could know more.
      return list ? list.tags.includes(tag) : options.offline ? false : undefined
    },

    // A list is believed about what it lacks no longer than a tag's answer is; then HEAD tells, which no registry counts as a pull.
    async lacks(repository, tag) {
      const told = await answerMissing({
        key: `missing ${repository.origin} ${repository.name} ${tag}`,
        freshFor: options.freshFor,
        absentFor: options.freshFor,
        unknown: 'MANIFEST_UNKNOWN',
        kept: async () => {
          const record = await keptTags(repository)
          return { value: true, checkedAt: record?.checkedAt ?? 0, isComplete: always }
        },
        ask: async () => {
          const found = await upstream.headManifest(repository.name, { tag }, { within: callTime })
          return found && { value: false, changed: true }
        },
      })
      return told?.value ?? true
    },

    async firstComplete(repository, tags) {
      const records = new Map<string, [Tag, TagRecord]>()
      for (const [tag, record] of await catalog.tagRecords(repository)) records.set(tag, [tag, record])
      for (const wanted of tags) {
        const [tag, record] = records.get(wanted) ?? []
        if (tag && record && (await isTagComplete(catalog, repository, tag, record.digest, visible))) return tag
      }
      return undefined
    },

    // That there is no such API is kept too: clients then use the tag schema, whose tags are kept, and an outage must not end that.
    async referrers(repository, subject, after) {
      const hasNone = await lacksReferrers(repository, subject)
      const reread = () => readKept(repository, subject)
      const told = await answerReferrers({
        key: `referrers ${repository.origin} ${repository.name} ${subject}`,
        freshFor: hasNone ? noReferrersFor : options.freshFor,
        absentFor: noReferrersFor,
        unknown: 'NOT_FOUND',
        kept: async () => {
          const record = await keptReferrers(repository, subject)
          return record && { value: record.descriptors && reread, checkedAt: record.checkedAt, isComplete: always }
        },
        ask: async (kept) => {
          const release = await collecting.take(AbortSignal.timeout(callTime)).catch(throwBusy)
          try {
            return await askReferrers(repository, subject, kept?.value !== undefined)
          } finally {
            release()
          }
        },
      })
      return told?.value && listing(itemsOf(told.value, after), told)
    },
  }

  async function askReferrers(repository: RepositoryKey, subject: Digest, isListKept: boolean) {
    const checkedAt = now()
    const descriptors = await upstream.referrers(repository.name, subject, { within: callTime })
    if (!descriptors && isListKept) return undefined
    const credential = await upstream.credentialIdentity(repository.name)
    const record = { ...(descriptors && { descriptors }), credential, checkedAt }
    let isKept = false
    await tryKeeping('a list of referrers', async () => {
      await catalog.setReferrers(repository, subject, record)
      isKept = true
    })
    const reread = () => readKept(repository, subject)
    return { value: descriptors && (isKept ? reread : async () => descriptors), changed: true }
  }

  function throwBusy(): never {
    throw timedOut(upstream.name, `${upstream.name} is being asked for too many lists of referrers at once.`)
  }

  async function keptReferrers(repository: RepositoryKey, subject: Digest): Promise<ReferrersRecord | undefined> {
    const record = await catalog.referrers(repository, subject)
    return record && visible({ proof: 'fetched', credential: record.credential }) ? record : undefined
  }

  /** Whether it is kept that there is no such API; a list, which may be long, is let go of before anybody waits for upstream. */
  async function lacksReferrers(repository: RepositoryKey, subject: Digest): Promise<boolean> {
    const record = await keptReferrers(repository, subject)
    return record !== undefined && !record.descriptors
  }

  async function readKept(repository: RepositoryKey, subject: Digest): Promise<Descriptor[]> {
    const { descriptors } = (await catalog.referrers(repository, subject)) ?? {}
    // No list at all would read as "unsigned".
    if (!descriptors) throw new OciError('UNAVAILABLE', 'The list of referrers has just changed; ask again.')
    return descriptors
  }

  async function keptTags(repository: RepositoryKey): Promise<TagsRecord | undefined> {
    const record = await catalog.tags(repository)
    return record && visible({ proof: 'fetched', credential: record.credential }) ? record : undefined
  }

  async function tagsOf(repository: RepositoryKey): Promise<Listing<Tag> | undefined> {
    const told = await answerTags({
      key: `tags ${repository.origin} ${repository.name}`,
      freshFor: options.listsFreshFor,
      unknown: 'NAME_UNKNOWN',
      kept: async () => {
        const record = await keptTags(repository)
        return record && { value: record.tags, checkedAt: record.checkedAt, isComplete: always }
      },
      ask: async () => {
        const checkedAt = now()
        const tags = await upstream.tags(repository.name, { within: callTime })
        if (!tags) return undefined
        const credential = await upstream.credentialIdentity(repository.name)
        await tryKeeping('a list of tags', () => catalog.setTags(repository, { tags, credential, checkedAt }))
        return { value: tags, changed: true }
      },
    })
    return told && listing(told.value, told)
  }

  // Offline, a tag that cannot be pulled is no tag: only those whose closure is complete are listed.
  async function tagsThatWork(repository: RepositoryKey): Promise<Listing<Tag>> {
    const tags: Tag[] = []
    for (const [tag, record] of await catalog.tagRecords(repository)) {
      if (await isTagComplete(catalog, repository, tag, record.digest, visible)) tags.push(tag)
    }
    if (tags.length > 0) return { items: tags, cache: 'hit', among: keptWhole }
    throw new OciError(
      'NAME_UNKNOWN',
      'No tag of this repository is kept here, and in offline mode no upstream is asked.',
    )
  }
}

async function* itemsOf(read: ReadReferrers, after: Digest | undefined): AsyncGenerator<Descriptor> {
  yield* inOrder(await read(), after)
}

async function always(): Promise<boolean> {
  return true
}

function listing<I>(items: I, { cache, age, warning }: Freshness): Freshness & { items: I } {
  return { items, cache, age, warning }
}
