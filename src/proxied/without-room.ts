/** A download that could not even begin to be kept: each client has a transfer of its own, the first the one that was begun. */
import { createHash } from 'node:crypto'
import { algorithmOf } from '../oci/digest.ts'
import type { Transfer } from '../upstream/upstream.ts'
import type { Download, DownloadOptions } from './download.ts'
import { createPassthrough } from './passthrough.ts'

export function withoutRoom(options: DownloadOptions, begun: Transfer): Download {
  let first: Transfer | undefined = begun.from === 0 ? begun : undefined
  if (!first) begun.abort()

  return {
    size: begun.size,
    settled: Promise.resolve(),
    stop: async () => {},
    prove: () => false,
    open(closedEnd) {
      const transfer = first
      first = undefined
      return createPassthrough({
        ...options,
        size: begun.size,
        closedEnd,
        from: 0,
        hash: createHash(algorithmOf(options.digest)),
        before: async () => 0,
        begun: transfer,
      })
    },
  }
}
