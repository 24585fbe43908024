/** JSON as Go's encoding/json writes it, byte for byte, since digests are made of it. */

/** Members of maps are written in the order of the map. */
export type GoValue = string | number | boolean | null | GoValue[] | Map<string, GoValue>

/** @throws RangeError for a number that JSON cannot write */
export function goJson(value: GoValue): string {
  if (typeof value === 'string') return goString(value)
  if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `${goString(key)}:${goJson(item)}`).join(',')}}`
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`JSON cannot write ${value}`)
  return JSON.stringify(value)
}

/** What Go escapes so that JSON can stand in HTML and in old JavaScript. */
function goString(text: string): string {
  return JSON.stringify(text).replaceAll(/[<>&\u2028\u2029]/g, (character) => {
    return String.raw`\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
  })
}

/** By the bytes of the keys, as Go sorts maps. */
export function sortedMap<T>(entries: Iterable<readonly [string, T]>): Map<string, T> {
  return new Map([...entries].toSorted(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other))))
}
