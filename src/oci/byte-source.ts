/** Bytes that can be read by position: a stored file, inline content, or a download that is still arriving. */
export interface ByteSource {
  /** Bytes in all; `undefined` while an upstream that sends no Content-Length has not come to its end. */
  readonly size: number | undefined
  /**
   * Reads at most `buffer.length` bytes that start at `position` into `buffer`, and settles with their number: at least 1, or 0
   * at the end. Waits for bytes that are still to come. The caller owns the buffer and asks for one read at a time.
   * @throws when the bytes cannot be had or are not what their digest says; the receiver's connection must then break.
   */
  read(position: number, buffer: Uint8Array): Promise<number>
  /** Idempotent. Ends a pending read with an error. */
  close(): Promise<void>
}

/** All bytes of a source of known size, which it closes; fewer where the source ends early. */
export async function readAll(source: ByteSource): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(source.size ?? 0)
  try {
    let position = 0
    while (position < bytes.length) {
      const count = await source.read(position, bytes.subarray(position))
      if (count === 0) break
      position += count
    }
    return bytes.subarray(0, position)
  } finally {
    await source.close()
  }
}
