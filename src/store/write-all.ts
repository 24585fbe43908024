/** Writes to a file that go on until all is written. */
import type { FileHandle } from 'node:fs/promises'

/**
 * A disk that fills up takes a part and says so at the next write only.
 * @param start where in the file
 * @param onWritten told of each part
 */
export async function writeAll(
  handle: FileHandle,
  bytes: Uint8Array,
  start: number,
  onWritten: (count: number) => void = () => {},
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, start + done)
    if (bytesWritten === 0) throw new Error('The disk took no bytes and gave no reason.')
    onWritten(bytesWritten)
    done += bytesWritten
  }
}
