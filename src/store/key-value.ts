/** The records of the catalog: a small ordered map. Every driver passes test/store/key-value-conformance.ts. */

export type Operation = { put: string; value: Uint8Array } | { delete: string }

export interface KeyValue {
  get(key: string): Promise<Uint8Array | undefined>
  /**
   * Atomic and durable when it settles: the only write.
   * @throws when it could not be made durable; then none of its operations is visible afterwards.
   */
  batch(operations: Operation[]): Promise<void>
  /** The pairs whose key starts with `prefix`, in the order of the keys' UTF-8 bytes, as they stand when the scan starts. */
  scan(prefix: string): AsyncIterable<[string, Uint8Array]>
  close(): Promise<void>
}
