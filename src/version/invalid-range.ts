/** A range that cannot be read. The message is a whole sentence for the one who wrote it, position included. */
export class InvalidRangeError extends Error {
  readonly range: string
  /** Where in `range` the trouble starts, counted from 0 in UTF-16 units. */
  readonly position: number
  constructor(range: string, position: number, sentence: string) {
    super(sentence)
    this.name = 'InvalidRangeError'
    this.range = range
    this.position = position
  }
}

/** @throws InvalidRangeError always: `what` becomes a sentence with its position */
export function refuse(range: string, position: number, what: string): never {
  throw new InvalidRangeError(range, position, `${what} (position ${position} of the range).`)
}
