/** What this process holds in memory, garbage left out. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect: unknown = runInNewContext('gc')

/** Bytes of objects and of buffers, after a collection. */
export function heldMemory(): number {
  if (typeof collect !== 'function') throw new TypeError('the collector cannot be called')
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
