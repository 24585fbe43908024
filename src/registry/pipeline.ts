/**
 * Requests that a client sends without waiting for their answers (RFC 9112 section 9.3.2): each is looked at when the answer before it has
 * ended. Node hands all of them over at once, and each would hold a file and its buffers until its answer may be sent.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export interface PipelineLimits {
  /** Requests of one connection that may wait, and the bytes of their heads together; defaults 32 and 32 KiB. Beyond that it is closed. */
  most?: number
  mostBytes?: number
}

interface Pipeline {
  isAnswering: boolean
  waiting: { incoming: IncomingMessage; outgoing: ServerResponse }[]
  /** Of the heads that have waited since nothing waited last. */
  bytes: number
}

/** @returns `answer` with one request of a connection at a time */
export function answerInTurn(answer: RequestListener, limits: PipelineLimits = {}): RequestListener {
  const { most = 32, mostBytes = 32 * 1024 } = limits
  const pipelines = new WeakMap<Socket, Pipeline>()

  function start(pipeline: Pipeline, incoming: IncomingMessage, outgoing: ServerResponse): void {
    pipeline.isAnswering = true
    outgoing.once('close', () => goOn(pipeline, incoming.socket))
    answer(incoming, outgoing)
  }

  /** What waits on a connection that takes no answer any more is never looked at. */
  function goOn(pipeline: Pipeline, socket: Socket): void {
    pipeline.isAnswering = false
    const next = socket.writable ? pipeline.waiting.shift() : undefined
    if (next) start(pipeline, next.incoming, next.outgoing)
    else pipeline.waiting.length = 0
    if (pipeline.waiting.length === 0) pipeline.bytes = 0
  }

  return (incoming, outgoing) => {
    const { socket } = incoming
    const pipeline = pipelines.get(socket) ?? { isAnswering: false, waiting: [], bytes: 0 }
    pipelines.set(socket, pipeline)
    if (!pipeline.isAnswering) return start(pipeline, incoming, outgoing)
    pipeline.bytes += sizeOf(incoming)
    pipeline.waiting.push({ incoming, outgoing })
    if (pipeline.waiting.length <= most && pipeline.bytes <= mostBytes) return
    pipeline.waiting.length = 0
    socket.destroy()
  }
}

function sizeOf({ url = '', rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((sum, text) => sum + text.length, url.length)
}
