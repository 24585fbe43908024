/** Answers where there is no server: the app called in this process, as by the CLI. */
import type { Answer, Stream } from './answer.ts'

const chunkSize = 64 * 1024

export function answerResponse(answer: Answer): Response {
  const { status, headers, body } = answer
  return new Response(body === undefined ? null : new Uint8Array(body), { status, headers })
}

/** The reader sees an error where a socket would be destroyed. Cancelling closes the source. */
export function streamResponse({ status, headers, source, start, end }: Stream): Response {
  let position = start
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const room = new Uint8Array(end === undefined ? chunkSize : Math.min(chunkSize, end - position))
        const filled = room.length === 0 ? 0 : await source.read(position, room)
        position += filled
        if (filled > 0) controller.enqueue(room.subarray(0, filled))
        if (filled === 0 && end !== undefined && position !== end) throw new Error('a body has ended early')
        if (filled === 0 || position === end) {
          await source.close()
          controller.close()
        }
      } catch (error) {
        await source.close()
        controller.error(error)
      }
    },
    cancel: () => source.close(),
  })
  return new Response(body, { status, headers })
}
