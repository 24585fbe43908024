/** A classic chart repository over HTTP: its index, its archives, each into a file of its own, and what is beside them. */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { largestIndex } from '../charts/index-file.ts'
import { type ChartSource, type FetchedArchive, SourceError } from '../charts/ports.ts'
import { largestProvenance } from '../charts/provenance.ts'
import { hashedDigest } from '../oci/digest.ts'
import type { Http } from './import-charts-http.ts'

export interface HttpChartSource extends ChartSource {
  /** @throws SourceError */
  index(url: URL): Promise<Uint8Array>
  close(): Promise<void>
}

/** Packed: unpacked Helm takes no more either. */
const largestArchive = 100 * 1024 * 1024

export async function openChartSource(http: Http): Promise<HttpChartSource> {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-charts-'))
  let count = 0
  return {
    index: (url) => http.get(url, largestIndex, buffer),
    archive(url) {
      count += 1
      const file = join(folder, `${count}.tgz`)
      return http.get(url, largestArchive, (bytes) => receiveArchive(bytes, file))
    },
    async provenance(archive) {
      const url = new URL(archive)
      url.pathname += '.prov'
      try {
        return await http.get(url, largestProvenance, buffer)
      } catch (error) {
        if (error instanceof SourceError && error.kind === 'absent') return undefined
        throw error
      }
    },
    async close() {
      http.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function receiveArchive(bytes: AsyncIterable<Uint8Array>, file: string): Promise<FetchedArchive> {
  const hash = createHash('sha256')
  let size = 0
  async function* hashing() {
    for await (const chunk of bytes) {
      hash.update(chunk)
      size += chunk.length
      yield chunk
    }
  }
  await pipeline(hashing, createWriteStream(file))
  return {
    digest: hashedDigest('sha256', hash),
    size,
    bytes: () => createReadStream(file),
    discard: () => rm(file, { force: true }),
  }
}
