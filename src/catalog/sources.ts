/**
 * Where each fetched file came from, in a file beside the blobs: when LevelDB is lost, a HEAD 200 of the same upstream with the
 * same credential can still prove a link to bytes that survived. A line is `<crc32> <JSON>`; a line that does not check is
 * nothing. Not synced: a lost line costs one fetch.
 */
import { appendFile, open, readFile, rename } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { hasCode } from '../store/errors.ts'
import type { Source } from './records.ts'

export interface SourcesFile {
  append(digest: Digest, source: Source): Promise<void>
  /** All that the file says, digest by digest. */
  read(): Promise<Map<Digest, Source[]>>
  /** Replaces the file by one that says only this; what is appended meanwhile comes after it. */
  rewrite(sources: () => AsyncIterable<[Digest, Source[]]>): Promise<void>
}

export function createSourcesFile(path: string): SourcesFile {
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = (work: () => Promise<void>) => {
    const mine = last.then(work, work)
    last = mine.catch(() => {})
    return mine
  }

  return {
    append: (digest, source) => inTurn(() => appendFile(path, line(digest, source), { mode: 0o600 })),
    async read() {
      const found = new Map<Digest, Map<string, Source>>()
      for (const text of (await contents(path)).split('\n')) {
        const entry = parse(text)
        if (!entry) continue
        const sources = found.get(entry.digest) ?? new Map<string, Source>()
        found.set(entry.digest, sources.set(text, entry.source))
      }
      return new Map([...found].map(([digest, sources]) => [digest, [...sources.values()]]))
    },
    rewrite: (sources) =>
      inTurn(async () => {
        const file = await open(`${path}.new`, 'w', 0o600)
        try {
          for await (const [digest, list] of sources()) {
            await file.write(list.map((source) => line(digest, source)).join(''))
          }
        } finally {
          await file.close()
        }
        await rename(`${path}.new`, path)
      }),
  }
}

function line(digest: Digest, source: Source): string {
  const json = JSON.stringify([digest, source.upstream, source.credential])
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
}

function parse(text: string): { digest: Digest; source: Source } | undefined {
  const json = text.slice(9)
  if (text.length < 10 || Number.parseInt(text.slice(0, 8), 16) !== crc32(json)) return undefined
  const entry: unknown = JSON.parse(json)
  if (!Array.isArray(entry)) return undefined
  const [digest, upstream, credential]: unknown[] = entry
  if (typeof digest !== 'string' || typeof upstream !== 'string' || typeof credential !== 'string') return undefined
  const parsed = parseDigest(digest)
  return parsed && { digest: parsed, source: { upstream, credential } }
}

async function contents(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return ''
    throw error
  }
}
