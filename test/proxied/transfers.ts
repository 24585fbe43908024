/** Scripted transfers: the same bytes in any chunks, that may break, stop short, run over, or lie. */
import type { Transfer } from '../../src/upstream/upstream.ts'

export interface Script {
  /** Lengths of the chunks, over and over. */
  chunks: number[]
  /** Bytes after which the transfer breaks. */
  breaksAt?: number | null
  /** Bytes after which it ends as if that were all. */
  endsAt?: number | null
  /** A bit of this byte is flipped. */
  flips?: number | null
  /** Sends this many bytes more than there are. */
  extra?: number
  /** Begins at 0 whatever is asked for. */
  ignoresRange?: boolean
  tellsSize?: boolean
}

export interface ScriptedTransfer extends Transfer {
  aborted(): boolean
}

export function transferOf(blob: Buffer, asked: number, script: Script): ScriptedTransfer {
  const sent = Buffer.concat([blob, Buffer.alloc(script.extra ?? 0, 7)])
  if (typeof script.flips === 'number' && blob.length > 0) {
    const at = script.flips % blob.length
    sent[at] = (sent[at] ?? 0) ^ 1
  }
  const from = script.ignoresRange ? 0 : asked
  let aborted = false

  async function* body(): AsyncGenerator<Uint8Array> {
    let position = from
    for (let turn = 0; position < sent.length; turn += 1) {
      await Promise.resolve()
      if (aborted) throw new Error('aborted')
      const step = Math.max(1, script.chunks[turn % script.chunks.length] ?? 1)
      const stop = Math.min(sent.length, script.breaksAt ?? Infinity, script.endsAt ?? Infinity)
      if (position >= stop) break
      const end = Math.min(position + step, stop)
      yield sent.subarray(position, end)
      position = end
    }
    if (typeof script.breaksAt === 'number' && position >= script.breaksAt && position < sent.length) {
      throw new Error('reset by peer')
    }
  }
  return {
    size: script.tellsSize === false ? undefined : blob.length,
    from,
    body: body(),
    abort: () => void (aborted = true),
    aborted: () => aborted,
  }
}

/** Whether a client that reads it all gets exactly the blob. */
export function isSound({ breaksAt, endsAt, flips, extra = 0 }: Script, blob: Buffer): boolean {
  const sent = blob.length + extra
  const stop = Math.min(sent, breaksAt ?? Infinity, endsAt ?? Infinity)
  const breaks = typeof breaksAt === 'number' && stop >= breaksAt && stop < sent
  return !breaks && stop === blob.length && (typeof flips !== 'number' || blob.length === 0)
}
