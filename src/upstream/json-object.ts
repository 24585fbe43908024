/** JSON from outside, whose top must be an object. */
import { parseJson } from '../oci/json.ts'

export type JsonObject = Record<string, unknown>

/** `undefined` where the bytes are no JSON within `parseJson`'s limits, or no object at its top. */
export function parseObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value = parseJson(bytes)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The own property of that name where it is a string that is not empty. */
export function textOf(object: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(object, name) ? object[name] : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}
