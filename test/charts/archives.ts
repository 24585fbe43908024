/** Archives of charts made in memory, good ones and such as no tool would make. */
import { gzipSync } from 'node:zlib'

export interface Member {
  name: string
  content?: string | Uint8Array
  /** Of its header; `0`, a file, by default. */
  type?: string
  /** In place of the true size. */
  size?: number
  /** Before the name (ustar). */
  prefix?: string
  modified?: number
}

export function tar(members: Member[]): Buffer {
  return Buffer.concat([...members.map(member), Buffer.alloc(1024)])
}

export function tgz(members: Member[]): Buffer {
  return gzipSync(tar(members))
}

/** A chart with one template. @param more of Chart.yaml, or all of it where it has an apiVersion */
export function chart(name: string, version: string, more = ''): Buffer {
  const head = `apiVersion: v2\nname: ${name}\nversion: ${version}\n`
  const text = more.includes('apiVersion') ? more : head + more
  return tgz([
    { name: `${name}/Chart.yaml`, content: text },
    { name: `${name}/values.yaml`, content: 'replicas: 1\n' },
    { name: `${name}/templates/map.yaml`, content: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map\n' },
  ])
}

/** Pax records `<length> <key>=<value>\n`, the length counting itself. */
export function paxRecord(key: string, value: string): string {
  const body = ` ${key}=${value}\n`
  const length = [1, 2, 3, 4]
    .map((digits) => Buffer.byteLength(body) + digits)
    .find((sum, at) => String(sum).length === at + 1)
  return `${length}${body}`
}

function member({ name, content = '', type = '0', size, prefix = '', modified = 1_700_000_000 }: Member): Buffer {
  const bytes = Buffer.from(content)
  const header = Buffer.alloc(512)
  header.write(name, 0, 100)
  header.write('0000644\0', 100)
  header.write(`${(size ?? bytes.length).toString(8).padStart(11, '0')}\0`, 124)
  header.write(`${modified.toString(8).padStart(11, '0')}\0`, 136)
  header.write('        ', 148)
  header.write(type, 156)
  header.write('ustar\u000000', 257)
  header.write(prefix, 345)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}
