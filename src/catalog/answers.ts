/** What upstreams answered about names: tags, lists of tags, referrers; and the pins that hold closures. */
import { type Digest, parseDigest } from '../oci/digest.ts'
import { parseTag, type Tag } from '../oci/name.ts'
import type { Commits } from './commits.ts'
import type { RecordStore } from './record-store.ts'
import {
  decode,
  encode,
  keys,
  lastPart,
  type ReferrersRecord,
  type RepositoryKey,
  type TagRecord,
  type TagsRecord,
} from './records.ts'

export interface Answers {
  tag(repository: RepositoryKey, tag: Tag): Promise<TagRecord | undefined>
  tagRecords(repository: RepositoryKey): Promise<Map<Tag, TagRecord>>
  setTag(repository: RepositoryKey, tag: Tag, record: TagRecord): Promise<void>
  /** Takes the tag of a hosted repository away, as the journal keeps it. */
  deleteTag(repository: RepositoryKey, tag: Tag): Promise<void>
  tags(repository: RepositoryKey): Promise<TagsRecord | undefined>
  setTags(repository: RepositoryKey, record: TagsRecord): Promise<void>
  referrers(repository: RepositoryKey, subject: Digest): Promise<ReferrersRecord | undefined>
  setReferrers(repository: RepositoryKey, subject: Digest, record: ReferrersRecord): Promise<void>
  pin(repository: RepositoryKey, digest: Digest): Promise<void>
  unpin(repository: RepositoryKey, digest: Digest): Promise<void>
  pins(): Promise<Set<Digest>>
}

export function createAnswers(records: RecordStore, commits: Commits): Answers {
  return {
    tag: (repository, tag) => records.read<TagRecord>(keys.tag(repository, tag)),
    async tagRecords(repository) {
      const found = new Map<Tag, TagRecord>()
      for await (const [key, value] of records.scan(keys.tagsOf(repository))) {
        const tag = parseTag(lastPart(key))
        if (tag) found.set(tag, decode<TagRecord>(value))
      }
      return found
    },
    setTag: (repository, tag, record) => records.write([{ put: keys.tag(repository, tag), value: encode(record) }]),
    deleteTag: (repository, tag) =>
      commits.write([{ delete: keys.tag(repository, tag) }], [{ untag: tag, repository }]),
    tags: (repository) => records.read<TagsRecord>(keys.list(repository)),
    setTags: (repository, record) => records.write([{ put: keys.list(repository), value: encode(record) }]),
    referrers: (repository, subject) => records.read<ReferrersRecord>(keys.referrers(repository, subject)),
    setReferrers: (repository, subject, record) =>
      records.write([{ put: keys.referrers(repository, subject), value: encode(record) }]),
    pin: (repository, digest) => records.write([{ put: keys.pin(repository, digest), value: encode({}) }]),
    unpin: (repository, digest) => records.write([{ delete: keys.pin(repository, digest) }]),
    async pins() {
      const digests = new Set<Digest>()
      for await (const [key] of records.scan(keys.pins())) {
        const digest = parseDigest(lastPart(key))
        if (digest) digests.add(digest)
      }
      return digests
    },
  }
}
