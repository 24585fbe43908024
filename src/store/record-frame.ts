/**
 * How a record stands in LevelDB, which does not verify what it reads: `crc32 (4 bytes, big endian) | version (1 byte) | value`.
 * The checksum covers key, version and value, so that a value that turns up under a wrong key is found out too.
 */
import { crc32 } from 'node:zlib'

const version = 1
const headerBytes = 5

export function frame(key: string, value: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(headerBytes + value.length)
  record[4] = version
  record.set(value, headerBytes)
  record.writeUInt32BE(checksum(key, record), 0)
  return record
}

/**
 * @returns the value, a view of `record`; `undefined` where the checksum fails.
 * @throws where the record is intact but of a version that this program does not know.
 */
export function unframe(key: string, record: Buffer): Uint8Array | undefined {
  if (record.length < headerBytes || record.readUInt32BE(0) !== checksum(key, record)) return undefined
  if (record[4] !== version) throw new Error(`The record ${key} was written by a newer version of this program.`)
  return record.subarray(headerBytes)
}

function checksum(key: string, record: Buffer): number {
  return crc32(record.subarray(4), crc32(key))
}
