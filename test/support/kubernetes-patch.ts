/** How the Kubernetes API applies patches, as far as Helm sends them. */

export type JsonObject = Record<string, unknown>

/** What tells the elements of a list apart, for the types in charts; a mount has a name too, so its path comes first. */
const listKeys = ['mountPath', 'containerPort', 'port', 'name']

/** RFC 7396. */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  return merged(target, patch, (_, replacement) => replacement)
}

/** A merge patch in which lists of named elements are merged element by element; their order is not kept. */
export function strategicMergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const plain = Object.entries(patch).filter(([key]) => !key.startsWith('$'))
  return merged(target, Object.fromEntries(plain), mergedList)
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

type ListRule = (target: unknown[], patch: unknown[]) => unknown[]

function merged(target: JsonObject, patch: JsonObject, lists: ListRule): JsonObject {
  const inner = lists === mergedList ? strategicMergePatch : mergePatch
  const result = { ...target }
  for (const [key, value] of Object.entries(patch)) {
    const before = result[key]
    if (value === null) delete result[key]
    else if (isObject(value)) result[key] = inner(isObject(before) ? before : {}, value)
    else if (Array.isArray(value) && Array.isArray(before)) result[key] = lists(before, value)
    else result[key] = value
  }
  return result
}

function mergedList(target: unknown[], patch: unknown[]): unknown[] {
  const before = target.filter(isObject)
  const changes = patch.filter(isObject)
  const key = listKeys.find((name) => [...before, ...changes].every((element) => name in element))
  if (key === undefined || before.length < target.length || changes.length < patch.length) return patch
  const elements = new Map(before.map((element) => [element[key], element]))
  for (const change of changes) {
    if (change['$patch'] === 'delete') elements.delete(change[key])
    else elements.set(change[key], strategicMergePatch(elements.get(change[key]) ?? {}, change))
  }
  return [...elements.values()]
}
