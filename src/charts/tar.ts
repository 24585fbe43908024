/** Reads tar archives as Go's archive/tar does: ustar, the long names of GNU, and the path and size of pax. */
import { createChunks } from './chunks.ts'
import { ChartError } from './go-yaml.ts'

export interface TarEntry {
  name: string
  /** `0` is a file, `5` a folder; others are links, devices, and what POSIX reserves. */
  type: string
  size: number
  /** Seconds since 1970. */
  modified: number
  /** All of it, at once; to be called before the next entry is asked for, or never. */
  read(): Promise<Buffer>
}

const block = 512
/** Of a long name or of pax records; Go has 1 MiB. */
const longestExtension = 1024 * 1024

/** @param bytes unpacked, and bounded by whoever unpacks them @throws ChartError */
export async function* readTar(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const source = createChunks(bytes)
  let longer: { path?: string; size?: number } = {}
  for (let header = await source.take(block); header && !isEnd(header); header = await source.take(block)) {
    const { name, type, size: written, modified } = readHeader(header)
    const size = type === 'x' || type === 'L' || type === 'K' || type === 'g' ? written : (longer.size ?? written)
    const padding = (block - (size % block)) % block
    if (type === 'x' || type === 'L') {
      if (size > longestExtension) throw new ChartError('its archive has a name that is too long')
      const extension = await source.need(size)
      longer = type === 'L' ? { ...longer, path: textUntilZero(extension) } : { ...longer, ...readPax(extension) }
      await source.skip(padding)
      continue
    }
    let left = size
    const read = () => {
      left = 0
      return source.need(size)
    }
    // What says something about all entries, or about a link's aim, is nothing to us.
    if (type !== 'g' && type !== 'K') {
      yield { name: longer.path ?? name, type, size, modified, read }
      longer = {}
    }
    await source.skip(left + padding)
  }
}

function readHeader(header: Buffer): Omit<TarEntry, 'read'> {
  if (numberAt(header, 148, 8) !== sumOf(header)) throw new ChartError('its archive is no tar, or is damaged')
  const isUstar = header.toString('latin1', 257, 263) === 'ustar\0'
  const folder = isUstar ? textUntilZero(header.subarray(345, 500)) : ''
  const name = textUntilZero(header.subarray(0, 100))
  const type = header.toString('latin1', 156, 157)
  const path = folder === '' ? name : `${folder}/${name}`
  const [size, modified] = [numberAt(header, 124, 12), numberAt(header, 136, 12)]
  // Links and folders have no content, whatever their size says (Go: isHeaderOnlyType).
  return { name: path, type: type === '\0' ? '0' : type, size: '123456'.includes(type) ? 0 : size, modified }
}

/** Of all bytes, those of the sum itself read as spaces. A loop, since a bomb may have a million headers. */
function sumOf(header: Buffer): number {
  let sum = 8 * 32
  for (let at = 0; at < block; at += 1) if (at < 148 || at >= 156) sum += header[at] ?? 0
  return sum
}

/** Octal, or, with the highest bit set, binary. */
function numberAt(header: Buffer, start: number, length: number): number {
  const field = header.subarray(start, start + length)
  const first = field[0] ?? 0
  const value =
    first >= 0x80
      ? field.reduce((total, byte, at) => total * 256 + (at === 0 ? byte & 0x7f : byte), 0)
      : Number.parseInt(/^[ \0]*([0-7]*)[ \0]*$/.exec(field.toString('latin1'))?.[1] || '0', 8)
  if (!Number.isSafeInteger(value)) throw new ChartError('its archive is no tar, or is damaged')
  return value
}

/** Records `<length> <key>=<value>\n`. */
function readPax(records: Buffer): { path?: string; size?: number } {
  const found: { path?: string; size?: number } = {}
  for (let at = 0; at < records.length;) {
    const [head = '', digits = ''] = /^(\d{1,7}) /.exec(records.toString('latin1', at, at + 9)) ?? []
    const end = at + Number(digits)
    const record = records.toString('utf8', at + head.length, end - 1)
    const equals = record.indexOf('=')
    if (end <= at + head.length || end > records.length || equals < 1)
      throw new ChartError('its archive has damaged pax records')
    const value = record.slice(equals + 1)
    if (record.startsWith('path=')) found.path = value
    if (record.startsWith('size=') && /^\d{1,15}$/.test(value)) found.size = Number(value)
    if (record.startsWith('GNU.sparse.')) throw new ChartError('its archive has sparse files, which are not read here')
    at = end
  }
  return found
}

function isEnd(header: Buffer): boolean {
  return header.every((byte) => byte === 0)
}

function textUntilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}
