/**
 * Answers to requests whose body is still coming and is not read. To close such a connection at once resets it, and the reset may reach
 * the client before it has read the answer (RFC 9112 section 9.6); to read the rest would cost what the refusal saves.
 */
import { once } from 'node:events'
import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Answer } from './answer.ts'
import type { Connection } from './node-body.ts'

export interface LingerOptions {
  /** ms that a client has to read the answer; default 1,000. */
  lingerFor?: number
  /** Connections that are kept for that: beyond them the oldest is closed, since each holds what it has sent last. Default 32. */
  most?: number
}

/** Whether the answer ends its connection while the client still sends. */
export async function leavesBody({ headers }: Answer, { incoming }: Connection): Promise<boolean> {
  if (headers.Connection !== 'close') return false
  // The end of a body that has come whole is noticed a moment after its last byte.
  await setImmediate()
  return !incoming.complete
}

/** The function that it gives settles when the connection has ended: the client's doing, or ours. */
export function createLinger({ lingerFor = 1_000, most = 32 }: LingerOptions) {
  // The order of a Set is the order of arrival.
  const lingering = new Set<AbortController>()

  return async function sendAndLinger(answer: Answer, { outgoing }: Connection): Promise<void> {
    const ending = new AbortController()
    const { signal } = ending
    lingering.add(ending)
    const [oldest] = lingering
    if (lingering.size > most) oldest?.abort()
    outgoing.writeHead(answer.status, answer.headers)
    outgoing.write(answer.body ?? '')
    try {
      await Promise.race([once(outgoing, 'close', { signal }), setTimeout(lingerFor, undefined, { signal })])
    } catch {
      // It makes way for another one.
    } finally {
      lingering.delete(ending)
      ending.abort()
      outgoing.end()
    }
  }
}
