/** Records of one kind, decoded one by one. */
import { type Digest, parseDigest } from '../oci/digest.ts'
import type { RecordStore } from './record-store.ts'
import { decode, lastPart, type Link } from './records.ts'

export async function* linksBelow(records: RecordStore, prefix: string): AsyncGenerator<Link> {
  for await (const [, value] of records.scan(prefix)) yield decode<Link>(value)
}

export async function* byDigest<T>(pairs: AsyncIterable<[string, Uint8Array]>): AsyncGenerator<[Digest, T]> {
  for await (const [key, value] of pairs) {
    const digest = parseDigest(lastPart(key))
    if (digest) yield [digest, decode<T>(value)]
  }
}
