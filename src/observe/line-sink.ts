/**
 * Lines to a file descriptor, one asynchronous write at a time. The one that writes never waits: beyond `maxWaiting` lines are dropped
 * and counted, and so are those that the descriptor does not take (a closed pipe, a full disk).
 */
import { write } from 'node:fs'

export interface LineSink {
  /** `line` with its newline. */
  write(line: string): void
  /** Lines dropped since the start. */
  dropped(): number
  /** Settles when nothing waits any more, or after `patience` ms. */
  flush(patience: number): Promise<void>
}

export interface LineSinkOptions {
  fd: number
  /** UTF-16 code units. */
  maxWaiting: number
}

const retryDelay = 50

export function createLineSink({ fd, maxWaiting }: LineSinkOptions): LineSink {
  let lines: string[] = []
  let waiting = 0
  let dropped = 0
  let writing = false
  let idle: (() => void)[] = []

  function writeNext() {
    writing = lines.length > 0
    if (!writing) {
      for (const wake of idle.splice(0)) wake()
      return
    }
    const taken = lines
    lines = []
    waiting = 0
    writeRest(Buffer.from(taken.join('')), taken.length)
  }
  function writeRest(bytes: Buffer, count: number) {
    write(fd, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') setTimeout(writeRest, retryDelay, bytes, count)
      else if (error === null && written < bytes.length) writeRest(bytes.subarray(written), count)
      else {
        if (error !== null) dropped += count
        writeNext()
      }
    })
  }

  return {
    write: (line) => {
      if (waiting + line.length > maxWaiting) {
        dropped += 1
        return
      }
      lines.push(line)
      waiting += line.length
      if (!writing) writeNext()
    },
    dropped: () => dropped,
    flush: (patience) =>
      new Promise((resolve) => {
        if (!writing) return resolve()
        const timer = setTimeout(resolve, patience)
        idle.push(() => {
          clearTimeout(timer)
          resolve()
        })
      }),
  }
}
