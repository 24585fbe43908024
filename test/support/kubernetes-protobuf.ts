/**
 * A Secret as client-go's typed clients send it, which speak protobuf only: `k8s\0`, then runtime.Unknown, then the object
 * (k8s.io/apimachinery/pkg/runtime/serializer/protobuf; field numbers of k8s.io/api/core/v1/generated.proto).
 */
import type { JsonObject } from './kubernetes-patch.ts'

export const protobuf = 'application/vnd.kubernetes.protobuf'

const magic = Buffer.from('k8s\0')

/** The object as its JSON would be. @throws for anything that is no Secret */
export function secretOf(bytes: Buffer): JsonObject {
  if (!bytes.subarray(0, 4).equals(magic)) throw new Error('the body does not start as protobuf of Kubernetes does')
  const unknown = fieldsOf(bytes.subarray(4))
  const kind = text(fieldsOf(one(unknown, 1)), 2)
  if (kind !== 'Secret') throw new Error(`a ${kind} as protobuf is not known here`)
  const secret = fieldsOf(one(unknown, 2))
  const metadata = fieldsOf(one(secret, 1))
  return {
    metadata: {
      name: text(metadata, 1),
      labels: pairs(metadata, 11, 'utf8'),
      annotations: pairs(metadata, 12, 'utf8'),
    },
    data: pairs(secret, 2, 'base64'),
    type: text(secret, 3),
  }
}

/** The length-delimited fields of a message by number; the others (varints) say nothing that is needed. */
type Fields = Map<number, Buffer[]>

function fieldsOf(message: Buffer): Fields {
  const fields: Fields = new Map()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message.readUInt8(at++)
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const length = varint()
    if (tag % 8 === 0) continue
    if (tag % 8 !== 2) throw new Error(`wire type ${tag % 8} is not known here`)
    const number = Math.floor(tag / 8)
    fields.set(number, [...(fields.get(number) ?? []), message.subarray(at, (at += length))])
  }
  return fields
}

function one(fields: Fields, number: number): Buffer {
  return fields.get(number)?.[0] ?? Buffer.alloc(0)
}

function text(fields: Fields, number: number): string {
  return one(fields, number).toString()
}

function pairs(fields: Fields, number: number, encoding: 'utf8' | 'base64'): Record<string, string> {
  const entries = (fields.get(number) ?? []).map(fieldsOf)
  return Object.fromEntries(entries.map((entry) => [text(entry, 1), one(entry, 2).toString(encoding)]))
}
