/**
 * Where each fetched file came from, in a file beside the blobs: when LevelDB is lost, a HEAD 200 of the same upstream with the
 * same credential can still prove a link to bytes that survived. A line is `<crc32> <JSON>`; a line that does not check is
 * nothing. Not synced: a lost line costs one fetch.
 */
import { appendFile, readFile, rename, writeFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { type Digest, parseDigest } from '../oci/digest.ts'
import type { Source } from './records.ts'

export interface SourcesFile {
  append(digest: Digest, source: Source): Promise<void>
  /** All that the file says, digest by digest. */
  read(): Promise<Map<Digest, Source[]>>
  /** Replaces the file by one that says only this. */
  rewrite(sources: Map<Digest, Source[]>): Promise<void>
}

export function createSourcesFile(path: string): SourcesFile {
  return {
    append: (digest, source) => appendFile(path, line(digest, source), { mode: 0o600 }),
    async read() {
      const found = new Map<Digest, Source[]>()
      for (const text of (await contents(path)).split('\n')) {
        const entry = parse(text)
        if (entry) found.set(entry.digest, [...(found.get(entry.digest) ?? []), entry.source])
      }
      return found
    },
    async rewrite(sources) {
      const lines = [...sources].flatMap(([digest, list]) => list.map((source) => line(digest, source)))
      await writeFile(`${path}.new`, lines.join(''), { mode: 0o600 })
      await rename(`${path}.new`, path)
    },
  }
}

function line(digest: Digest, source: Source): string {
  const json = JSON.stringify([digest, source.upstream, source.credential])
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
}

function parse(text: string): { digest: Digest; source: Source } | undefined {
  const json = text.slice(9)
  if (text.length < 10 || Number.parseInt(text.slice(0, 8), 16) !== crc32(json)) return undefined
  const [digest, upstream, credential] = JSON.parse(json) as [string, string, string]
  const parsed = parseDigest(digest)
  return parsed && { digest: parsed, source: { upstream, credential } }
}

async function contents(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
