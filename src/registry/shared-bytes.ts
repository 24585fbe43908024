/** Bytes that many clients may be told at the same time: equal ones are one buffer for as long as anybody still reads it. */
import { createHash } from 'node:crypto'

/** Bytes: fewer are not worth a hash. */
const worthwhile = 64 * 1024

/** Gives the bytes that are held already where they are equal, else the ones that it is given. */
export function createSharedBytes(): (bytes: Uint8Array) => Uint8Array {
  const held = new Map<string, WeakRef<Uint8Array>>()
  const onEnd = new FinalizationRegistry<string>((key) => {
    if (!held.get(key)?.deref()) held.delete(key)
  })
  return (bytes) => {
    if (bytes.length < worthwhile) return bytes
    const key = createHash('sha256').update(bytes).digest('base64')
    const known = held.get(key)?.deref()
    if (known) return known
    held.set(key, new WeakRef(bytes))
    onEnd.register(bytes, key)
    return bytes
  }
}
