/** Writes answers: over Node's own response where a server has called, else as a web Response. */
import { ServerResponse } from 'node:http'
import type { Log } from '../observe/log.ts'
import type { Answer, Stream } from './answer.ts'
import { createBufferBudget } from './buffers.ts'
import { commonHeaders } from './headers.ts'
import { createLinger, leavesBody, type LingerOptions } from './linger.ts'
import { type Connection, sendAnswer, sendStream } from './node-body.ts'
import { answerResponse, streamResponse } from './web-body.ts'

/** What the Node server gives a handler beside the request; empty in a call without a server. */
export interface Bindings {
  incoming?: Connection['incoming']
  outgoing?: unknown
}

export interface RespondOptions extends Pick<LingerOptions, 'lingerFor'> {
  log: Log
  /** ms without a drained byte before a client is given up; default 60,000. */
  stalledAfter?: number
}

/**
 * What @hono/node-server takes as "this response is written already" (its RESPONSE_ALREADY_SENT), by its header: only `commands/serve` knows
 * that server. The clone is the platform's own Response even where that server has put its own in the place of it, which it would write.
 */
const alreadySent = new Response(null, { headers: { 'x-hono-already-sent': 'true' } }).clone()

export function createRespond({ log, stalledAfter = 60_000, ...options }: RespondOptions) {
  const linger = createLinger(options)
  const buffers = createBufferBudget()

  /** Once headers are out an error has no answer any more: the connection is broken, and the log says why. */
  async function stream(answer: Stream, connection: Connection): Promise<void> {
    try {
      const end = await sendStream(answer, connection, { buffers, stalledAfter })
      if (end === 'left') log.debug('client left before the end of a blob')
    } catch (error) {
      log.warn('blob broken off', { error })
    }
  }

  /** HEAD always goes as a Response: Hono makes a new one of it without a body. */
  return async function respond(answer: Answer | Stream, method: string, connection?: Connection): Promise<Response> {
    Object.assign(answer.headers, commonHeaders())
    if ('source' in answer) {
      if (!connection) return streamResponse(answer)
      await stream(answer, connection)
      return alreadySent
    }
    if (method === 'HEAD') return new Response(null, { status: answer.status, headers: answer.headers })
    if (!connection) return answerResponse(answer)
    if (await leavesBody(answer, connection)) await linger(answer, connection)
    else sendAnswer(answer, connection, { stalledAfter })
    return alreadySent
  }
}

/** HTTP/2 and calls without a server have no `ServerResponse`. */
export function connectionOf(bindings: Bindings | undefined): Connection | undefined {
  const { incoming, outgoing } = bindings ?? {}
  return incoming && outgoing instanceof ServerResponse ? { incoming, outgoing } : undefined
}
