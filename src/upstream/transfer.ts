/** A blob's response as a Transfer: where its bytes start, and how many there are in all (RFC 9110 section 14). */
import { contentLengthOf, failureOfAnswer, isWebPage } from './answers.ts'
import { lentBody } from './body.ts'
import type { Answer } from './exchange.ts'
import { wrong } from './failure.ts'
import type { UpstreamResponse } from './send.ts'
import type { Transfer } from './upstream.ts'

export interface TransferOptions {
  upstream: string
  answer: Answer
  /** The offset that was asked for by Range; 0 = no Range was sent. */
  asked: number
  /** Ends the connection. */
  abort: () => void
  limits?: TransferBounds | undefined
}

export interface TransferBounds {
  /** ms that a transfer may take in all; default 6 h. */
  within?: number
  /** Bytes of a body whose length is not declared; default 64 GiB. */
  unsized?: number
}

const usualWithin = 6 * 3_600_000
const usualUnsized = 64 * 2 ** 30

/** @throws UpstreamError for an answer that holds no bytes of the blob */
export async function transferOf({ upstream, answer, asked, abort, limits }: TransferOptions): Promise<Transfer> {
  const { response, host } = answer
  const { within = usualWithin, unsized = usualUnsized } = limits ?? {}
  const bodyOf = (declared: number | undefined) =>
    lentBody(response.body, { upstream, host }, { within, size: declared ?? unsized })
  const refuse = (what: string) => {
    response.discard()
    return wrong(upstream, `${upstream} (${host}) answered with ${what}.`)
  }
  if (response.status === 416 && asked > 0 && sizeWhenUnsatisfied(response) === asked) {
    response.discard()
    return { size: asked, from: asked, body: none(), abort }
  }
  if (response.status !== 200 && response.status !== 206) throw await failureOfAnswer(upstream, host, response)
  if (isWebPage(response)) throw refuse('a web page instead of a blob')
  const length = contentLengthOf(response)
  if (response.status === 200) return { size: length, from: 0, body: bodyOf(length), abort }
  const range = contentRangeOf(response)
  if (asked === 0) throw refuse('a part of the blob, though all of it was asked for')
  if (!range || range.start !== asked) throw refuse('another part of the blob than was asked for')
  if (length !== undefined && length !== range.end - range.start) throw refuse('a part of another length than it says')
  if (range.size !== undefined && range.size !== range.end) throw refuse('less than the rest of the blob')
  return { size: range.size, from: asked, body: bodyOf(range.end - range.start), abort }
}

async function* none(): AsyncGenerator<Uint8Array> {}

/** `bytes start-last/size`, `size` may be `*`; `end` is exclusive. */
function contentRangeOf(response: UpstreamResponse): { start: number; end: number; size?: number } | undefined {
  const [line = ''] = response.header('content-range')
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(line.trim())
  if (!match) return undefined
  const start = Number(match[1])
  const end = Number(match[2]) + 1
  if (end <= start) return undefined
  return match[3] === '*' ? { start, end } : { start, end, size: Number(match[3]) }
}

function sizeWhenUnsatisfied(response: UpstreamResponse): number | undefined {
  const [line = ''] = response.header('content-range')
  const match = /^bytes \*\/(\d{1,15})$/.exec(line.trim())
  return match ? Number(match[1]) : undefined
}
