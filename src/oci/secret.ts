/** A password or token that cannot slip into a log, an error or JSON. */
import { inspect } from 'node:util'

/** Shows itself as `[redacted]` to everything but `reveal`. */
export interface Secret {
  reveal(): string
  toString(): string
  toJSON(): string
}

const redacted = () => '[redacted]'

export function secret(text: string): Secret {
  const wrapped = { reveal: () => text, toString: redacted, toJSON: redacted, [inspect.custom]: redacted }
  return Object.freeze(wrapped)
}
